import Access
import AccessPolicy
import Foundation
import JWTKit
import Testing

/// Our own tokens, and the attacks on whoever checks them.
struct TokenTests {
    /// Making an RSA key takes a while, so all tests share these.
    private static let keys = Result {
        (try TokenSigner.generateKey().privateKeyPEM, try TokenSigner.generateKey().privateKeyPEM)
    }
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)
    private static let issuer = "https://acme.site.test"

    private let signer: TokenSigner
    private let stranger: TokenSigner
    private let verifier: TokenVerifier
    private let pem: String

    init() async throws {
        let (first, second) = try Self.keys.get()
        pem = first
        signer = try await TokenSigner(privateKeyPEM: first)
        stranger = try await TokenSigner(privateKeyPEM: second)
        verifier = try await TokenVerifier(keys: [signer.publicKey])
    }

    private func body(_ change: (inout TokenBody) -> Void = { _ in }) -> TokenBody {
        var body = TokenBody(type: "app", aud: .list(["aud"]), iat: Int(Self.now.timeIntervalSince1970))
        body.iss = Self.issuer
        body.nbf = body.iat
        body.exp = body.iat + 3600
        body.sub = "user"
        change(&body)
        return body
    }

    private func check(_ text: String, kind: TokenKind = .app, at now: Date = Self.now) async -> TokenBody? {
        guard let token = CompactToken(text) else { return nil }
        return await verifier.body(of: token, kind: kind, issuer: Self.issuer, now: now)
    }

    private func parts(_ token: String) -> [String] { token.split(separator: ".").map(String.init) }

    private func header(_ json: String) -> String { Base64URL.encode(json.utf8) }

    @Test func `what was signed is read back, with the header that clients expect`() async throws {
        let token = try await signer.sign(body())
        #expect(await check(token) == body())
        let compact = try #require(CompactToken(token))
        #expect(compact.algorithm == "RS256")
        #expect(compact.keyID == signer.publicKey.id)
        #expect(signer.publicKey.id.count == 64)
        let payload = String(decoding: try #require(Base64URL.decode(parts(token)[1])), as: UTF8.self)
        #expect(payload.contains("\"iat\":1800000000,") || payload.contains("\"iat\":1800000000}"))
        #expect(payload.contains("\"aud\":[\"aud\"]"))
    }

    @Test func `the header is in alphabetical order, in which the official client writes it anew`() async throws {
        for _ in 0..<8 {
            let header = parts(try await signer.sign(body()))[0]
            #expect(
                Base64URL.decode(header).map { String(decoding: $0, as: UTF8.self) }
                    == "{\"alg\":\"RS256\",\"kid\":\"\(signer.publicKey.id)\",\"typ\":\"JWT\"}")
        }
    }

    @Test func `a token of another key, or with its id, is refused`() async throws {
        #expect(await check(try await stranger.sign(body())) == nil)
        let forged = parts(try await stranger.sign(body()))
        let own = parts(try await signer.sign(body()))
        #expect(await check([own[0], forged[1], forged[2]].joined(separator: ".")) == nil)
    }

    @Test func `a changed claim is refused`() async throws {
        let token = parts(try await signer.sign(body()))
        let other = parts(try await signer.sign(body { $0.sub = "admin" }))
        #expect(await check([token[0], other[1], token[2]].joined(separator: ".")) == nil)
    }

    @Test(arguments: ["none", "None", "HS256", "RS512", "PS256", "ES256", ""])
    func `another algorithm is refused, whatever the signature`(algorithm: String) async throws {
        let token = parts(try await signer.sign(body()))
        let head = header(#"{"alg":"\#(algorithm)","kid":"\#(signer.publicKey.id)","typ":"JWT"}"#)
        #expect(await check([head, token[1], token[2]].joined(separator: ".")) == nil)
        #expect(await check([head, token[1], ""].joined(separator: ".")) == nil)
    }

    @Test func `a token signed by HMAC with the public key is refused`() async throws {
        let key = try Insecure.RSA.PrivateKey(pem: pem).publicKey.pemRepresentation
        let keys = await JWTKeyCollection().add(hmac: HMACKey(from: key), digestAlgorithm: .sha256)
        let token = try await keys.sign(body(), header: ["kid": .string(signer.publicKey.id)])
        #expect(await check(token) == nil)
    }

    @Test func `without a key id, or with an unknown one, a token is refused`() async throws {
        let token = parts(try await signer.sign(body()))
        for head in [#"{"alg":"RS256"}"#, #"{"alg":"RS256","kid":"0"}"#, #"{"alg":"RS256","kid":7}"#] {
            #expect(await check([header(head), token[1], token[2]].joined(separator: ".")) == nil)
        }
    }

    @Test func `critical extensions are not passed over`() throws {
        let head = header(#"{"alg":"RS256","kid":"k","crit":["exp"]}"#)
        #expect(CompactToken("\(head).e30.AAAA") == nil)
    }

    @Test func `a token for another purpose is refused`() async throws {
        for kind in TokenKind.allCases where kind != .app {
            #expect(await check(try await signer.sign(body { $0.type = kind.rawValue })) == nil)
            #expect(await check(try await signer.sign(body()), kind: kind) == nil)
        }
    }

    @Test func `another issuer, or none, is refused, and so is one where none may be`() async throws {
        #expect(await check(try await signer.sign(body { $0.iss = "https://acme.site.test:8443" })) == nil)
        #expect(await check(try await signer.sign(body { $0.iss = nil })) == nil)
        let meta = body { $0.type = "meta" }
        #expect(await check(try await signer.sign(meta), kind: .meta) == nil)
        #expect(await check(try await signer.sign(body { ($0.type, $0.iss) = ("meta", nil) }), kind: .meta) != nil)
    }

    @Test func `an end is an end, and other times may be a minute ahead`() async throws {
        let token = try await signer.sign(body())
        #expect(await check(token, at: Self.now + 3599) != nil)
        #expect(await check(token, at: Self.now + 3600) == nil)
        #expect(await check(token, at: Self.now - 60) != nil)
        #expect(await check(token, at: Self.now - 61) == nil)
        #expect(await check(try await signer.sign(body { $0.exp = nil })) == nil)
        #expect(await check(try await signer.sign(body { $0.exp = $0.iat + 40 * 86_400 })) == nil)
        #expect(await check(try await signer.sign(body { ($0.iat, $0.exp) = (.min, .max) })) == nil)
    }

    @Test func `a token longer than eight KiB is refused unread`() async throws {
        let token = try await signer.sign(body { $0.custom = ["x": .string(String(repeating: "a", count: 8192))] })
        #expect(CompactToken(token) == nil)
    }

    @Test(arguments: ["", ".", "..", "a.b.c", "e30.e30", "e30.e30.e30.e30", "e30=.e30.e30", "e30.e3 0.e30", "é.é.é"])
    func `what is no token is none`(text: String) {
        #expect(CompactToken(text) == nil)
    }
}
