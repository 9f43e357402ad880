import Access
import AccessPolicy
import EdgeTransport
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import ServiceHost
import Synchronization
import TestKit
import Testing
import TunnelConfig
import TunnelWire

@testable import Connector

/// `originRequest.access` at the connector, with a team whose keys come over TLS.
@Suite(.timeLimit(.minutes(2)))
struct StreamProxyAccessTests {
    private static let keys = Result {
        (try TokenSigner.generateKey().privateKeyPEM, try TokenSigner.generateKey().privateKeyPEM)
    }

    private let signer: TokenSigner
    private let stranger: TokenSigner
    private let certificates: TestCertificates

    init() async throws {
        let (first, second) = try Self.keys.get()
        signer = try await TokenSigner(privateKeyPEM: first)
        stranger = try await TokenSigner(privateKeyPEM: second)
        certificates = try TestCertificates.shared.get()
    }

    /// A team domain that answers its key set.
    private func team() async throws -> TestOrigin {
        let key = signer.publicKey
        return try await TestOrigin.http(tls: try certificates.server()) { request in
            guard request.head.uri == "/cdn-cgi/access/certs" else { return .response(.notFound) }
            let json = """
                {"keys":[{"kty":"EC","kid":"other"},{"kty":"RSA","alg":"RS256","use":"sig","kid":"\(key.id)",\
                "n":"\(key.modulus)","e":"\(key.exponent)"}],"public_cert":{}}
                """
            return .response(.ok, [:], body: ByteBuffer(string: json))
        }
    }

    private func body(_ issuer: String, _ change: (inout TokenBody) -> Void = { _ in }) -> TokenBody {
        var body = TokenBody(type: "app", aud: .list(["aud"]), iat: Int(Date().timeIntervalSince1970))
        body.iss = issuer
        body.exp = body.iat + 600
        body.sub = "user"
        change(&body)
        return body
    }

    /// A connector with one rule that wants an assertion for `aud`.
    private func withBench(
        authority: String?, _ body: (ProxyBench, _ issuer: String, TestOrigin) async throws -> Void
    ) async throws {
        let team = try await team()
        let issuer = "https://localhost:\(team.port)"
        var options = OriginRequest()
        options.access = .init(
            required: true, teamName: "", audTag: ["other", "aud"], environment: "", issuer: issuer,
            caPool: authority)
        let asides = Asides(limit: 100)
        let bench = try await ProxyBench.make(
            [IngressRule(service: .httpStatus(299), originRequest: options)], assertions: AssertionVerifier(),
            asides: asides)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await asides.run() }
            try await body(bench, issuer, team)
            group.cancelAll()
        }
        await bench.link.close()
        await team.stop()
    }

    private func status(_ bench: ProxyBench, _ assertions: String...) async throws -> Int {
        var request = StreamRequest(kind: .http, method: "GET", path: "/", authority: "app.test", hasBody: false)
        for assertion in assertions { request.headers.add(name: "Cf-Access-Jwt-Assertion", value: assertion) }
        return try await bench.link.exchange(request).response.status
    }

    @Test func `whom the team vouches for is served, and its keys are fetched once`() async throws {
        try await withBench(authority: certificates.authorityFile) { bench, issuer, team in
            for _ in 0..<3 {
                let token = try await signer.sign(body(issuer) { $0.jti = UUID().uuidString })
                #expect(try await status(bench, token) == 299)
                #expect(try await status(bench, token) == 299)
            }
            #expect(team.connections == 1)
        }
    }

    @Test func `whatever else is shown is refused`() async throws {
        try await withBench(authority: certificates.authorityFile) { bench, issuer, team in
            let good = try await signer.sign(body(issuer))
            #expect(try await status(bench) == 403)
            #expect(try await status(bench, "") == 403)
            #expect(try await status(bench, good, good) == 403)
            let now = Int(Date().timeIntervalSince1970)
            let changes: [(inout TokenBody) -> Void] = [
                { $0.iss = "https://evil.test" }, { $0.iss = nil }, { $0.aud = .list(["third"]) },
                { $0.aud = .list([]) }, { $0.type = "org" }, { $0.type = "meta" }, { $0.exp = now - 1 },
                { $0.exp = nil }, { $0.nbf = now + 120 }, { $0.iat = now + 120 },
            ]
            for change in changes {
                #expect(try await status(bench, signer.sign(body(issuer, change))) == 403)
            }
            // Of another key, under its own id and under the team's.
            let foreign = try await stranger.sign(body(issuer))
            let parts = good.split(separator: ".")
            let foreignParts = foreign.split(separator: ".")
            let none = Data(#"{"alg":"none","kid":"\#(signer.publicKey.id)"}"#.utf8).base64EncodedString()
                .replacingOccurrences(of: "=", with: "").replacingOccurrences(of: "+", with: "-")
                .replacingOccurrences(of: "/", with: "_")
            for forged in [
                foreign, "\(parts[0]).\(foreignParts[1]).\(foreignParts[2])", "\(none).\(parts[1]).",
                "\(none).\(parts[1]).\(parts[2])", "a.b.c", good + "x", String(repeating: "a", count: 9000),
            ] {
                #expect(try await status(bench, forged) == 403)
            }
            #expect(try await status(bench, good) == 299)
            // No flood of unknown keys makes it ask again.
            #expect(team.connections == 1)
        }
    }

    @Test func `a team whose certificate is not trusted lets nobody in`() async throws {
        for authority in [nil, certificates.strangerFile] {
            try await withBench(authority: authority) { bench, issuer, _ in
                let token = try await signer.sign(body(issuer))
                #expect(try await status(bench, token) == 502)
                let line = try #require(bench.log.entries(.error).first)
                #expect("\(line.metadata["error"] ?? "")".contains("keys of the Access team"))
                #expect(!"\(line.metadata)".contains(token))
            }
        }
    }

    @Test func `a WebSocket is checked as a request is`() async throws {
        let team = try await team()
        let origin = try await TestOrigin.echo()
        let issuer = "https://localhost:\(team.port)"
        let asides = Asides(limit: 100)
        var options = OriginRequest()
        options.access = .init(
            required: true, teamName: "", audTag: ["aud"], environment: "", issuer: issuer,
            caPool: certificates.authorityFile)
        let bench = try await ProxyBench.make(
            [IngressRule(service: origin.stream("rdp"), originRequest: options)], assertions: AssertionVerifier(),
            asides: asides)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await asides.run() }
            let (_, refused) = try await bench.openWebSocket()
            #expect(refused.status == 403)
            let token = try await signer.sign(body(issuer))
            let (visitor, accepted) = try await bench.openWebSocket([("cf-access-jwt-assertion", token)])
            #expect(accepted.isUpgrade)
            visitor.send(ByteBuffer(string: "question"), end: true)
            #expect(try await visitor.body() == ByteBuffer(string: "question"))
            group.cancelAll()
        }
        await bench.link.close()
        await team.stop()
        await origin.stop()
    }
}
