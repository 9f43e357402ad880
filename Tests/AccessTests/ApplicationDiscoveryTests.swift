import AccessPolicy
import Foundation
import NIOHTTP1
import Synchronization
import TestKit
import Testing

@testable import Access

/// Which application a host is believed to have: access-protocol sections 2.5 and 2.6, row by row.
@Suite(.timeLimit(.minutes(1))) struct ApplicationDiscoveryTests {
    private func refusal(_ bench: LoginBench) async -> LoginError? {
        await #expect(throws: LoginError.self) { try await bench.login.application(at: bench.url) }
    }

    @Test func `what is signed by a trusted team is believed, and its key set is kept`() async throws {
        let bench = try LoginBench()
        let application = try await bench.login.application(at: bench.url)
        #expect(application.audience == bench.team.audience)
        #expect(application.team.description == bench.team.team)
        #expect(bench.team.asked("/cdn-cgi/access/certs").count == 1)
        _ = try await bench.login.application(at: bench.url)
        #expect(bench.team.asked("/cdn-cgi/access/certs").count == 1)
        let kept = try #require(try bench.store.read("acme.localhost:8443-jwks"))
        #expect(kept.contains("\"kid\":\"k1\"") && !kept.contains("OKP"))
        let asked = try #require(bench.team.asked("/").first)
        #expect(asked.method == "HEAD" && asked.headers["cf-access-metadata-request"] == ["true"])
    }

    @Test(
        arguments: [
            ["type": .string("app")], ["hostname": .string("other.localhost")], ["aud": .string("")],
            ["aud": .array([.string("a")])], ["iat": .number(0)],
            ["iat": .number(Date().timeIntervalSince1970 - 90_000)],
            ["iat": .number(Date().timeIntervalSince1970 + 400)], ["iat": .number(1.5)], ["iat": .string("1")],
            ["hostname": .null], ["app_hostname": .string("a\nb")],
        ] as [[String: JSONValue]])
    func `a claim that is not as it should be refuses it`(claims: [String: JSONValue]) async throws {
        let bench = try LoginBench()
        bench.team.state.withLock { $0.metadata = claims }
        #expect(await refusal(bench)?.code == .untrustedApplication)
    }

    @Test(arguments: [
        "evil.com", "evilcloudflareaccess.com", "", "keys.evil#.cloudflareaccess.com",
        "keys.evil/x.cloudflareaccess.com", "keys.evil?x=.cloudflareaccess.com", "team.cloudflareaccess.com@evil", "%",
        "x@team.cloudflareaccess.com", "team.cloudflareaccess.com/path", "team.cloudflareaccess.com:8443",
        "acme.localhost", "acme.localhost:9443", "acme.localhost:8443.evil.com", "*.cloudflareaccess.com",
        ".cloudflareaccess.com", "acme.localhost:8443 ",
    ])
    func `a team domain that was not named is not asked for its keys`(domain: String) async throws {
        let bench = try LoginBench()
        bench.team.state.withLock { $0.metadata = ["auth_domain": .string(domain)] }
        #expect(await refusal(bench)?.code == .untrustedApplication)
        #expect(bench.team.asked("/cdn-cgi/access/certs").isEmpty)
    }

    @Test(arguments: [
        ("TEAM.CloudflareAccess.com", "team.cloudflareaccess.com"),
        ("team.cloudflareaccess.com:443", "team.cloudflareaccess.com"), ("ACME.localhost:8443", "acme.localhost:8443"),
    ])
    func `an official or named team domain is allowed in any case`(text: String, name: String) throws {
        #expect(try AuthDomains(["acme.localhost:8443"]).allowed(text)?.description == name)
        #expect(try AuthDomains(["Acme.Site.test"]).allowed("acme.site.test")?.issuer == "https://acme.site.test")
    }

    @Test(arguments: ["https://a.test", "a.test/x", "a b", "a.test:0", "a.test:x", "*.test", "a:1:2"])
    func `an entry that is no team domain is a mistake`(entry: String) {
        #expect(throws: LoginError.self) { try AuthDomains([entry]) }
    }

    @Test func `a host without metadata has no application`() async throws {
        let bench = try LoginBench(transport: Answering { _ in WebAnswer(status: 302, headers: ["location": "/x"]) })
        #expect(await refusal(bench)?.code == .noApplication)
    }

    @Test func `unsigned, differently signed and oversized metadata is refused`() async throws {
        let team = try TeamDouble()
        let good = try await team.metadata()
        let parts = good.split(separator: ".").map(String.init)
        let none = Base64URL.encode(Array(#"{"alg":"none","kid":"k1"}"#.utf8))
        let hmac = Base64URL.encode(Array(#"{"alg":"HS256","kid":"k1"}"#.utf8))
        let withoutKey = try await team.sign(["type": .string("match")], keyID: nil)
        let otherKey = try await team.sign(["type": .string("match"), "auth_domain": .string(team.team)], keyID: "k2")
        let flipped = parts[2].first == "A" ? "B" : "A"
        for token in [
            "", "a.b", "\(none).\(parts[1]).", "\(none).\(parts[1]).\(parts[2])", "\(hmac).\(parts[1]).\(parts[2])",
            "\(parts[0]).\(parts[1]).\(flipped)\(parts[2].dropFirst())", withoutKey, otherKey,
            good + String(repeating: "A", count: 9000),
        ] {
            let bench = try LoginBench(
                team: team,
                transport: Answering { request in
                    request.url.path.hasSuffix("certs")
                        ? WebAnswer(status: 200, body: Array(team.keySet.utf8))
                        : WebAnswer(status: 200, headers: ["cf-access-metadata": token])
                })
            #expect(await refusal(bench)?.code == .untrustedApplication)
        }
    }

    @Test func `kept keys are fetched again for a new signature after a minute, and after a day`() async throws {
        let shift = Mutex(TimeInterval(0))
        let bench = try LoginBench(now: { Date(timeIntervalSinceNow: shift.withLock { $0 }) })
        let foreign = TeamKeys(json: #"{"keys":[{"kty":"RSA","kid":"k0","n":"AQAB","e":"AQAB"}]}"#.utf8)
        try bench.store.write(try #require(foreign).json, to: "acme.localhost:8443-jwks")
        #expect(await refusal(bench)?.code == .untrustedApplication)
        #expect(bench.team.asked("/cdn-cgi/access/certs").isEmpty)
        shift.withLock { $0 = 61 }
        _ = try await bench.login.application(at: bench.url)
        #expect(bench.team.asked("/cdn-cgi/access/certs").count == 1)
        _ = try await bench.login.application(at: bench.url)
        #expect(bench.team.asked("/cdn-cgi/access/certs").count == 1)
    }

    @Test(arguments: [
        (#"{"exp":4000000000,"aud":"a"}"#, true), (#"{"exp":4000000000,"aud":["a","b"]}"#, true),
        (#"{"exp":4000000000.5,"aud":"a"}"#, false), (#"{"exp":"4000000000","aud":"a"}"#, false),
        (#"{"exp":1}"#, false),
        (#"{"aud":"a"}"#, false), (#"{"exp":1,"aud":[1]}"#, false), ("[]", false), ("", false),
    ])
    func `a stored token must say for whom and how long`(payload: String, isOne: Bool) {
        let header = Base64URL.encode(Array(#"{"alg":"RS256","kid":"k"}"#.utf8))
        let text = "\(header).\(Base64URL.encode(Array(payload.utf8))).AAAA"
        #expect((AccessToken(text + "\n") != nil) == isOne)
        let confused = Base64URL.encode(Array(#"{"alg":"none"}"#.utf8))
        #expect(AccessToken("\(confused).\(Base64URL.encode(Array(payload.utf8))).AAAA") == nil)
    }
}

/// Answers by a function.
struct Answering: LoginTransport {
    let answer: @Sendable (WebRequest) async throws -> WebAnswer

    func send(_ request: WebRequest) async throws -> WebAnswer { try await answer(request) }
}
