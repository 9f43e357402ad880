import Access
import AccessPolicy
import Crypto
import EdgeStore
import Foundation
import Hummingbird
import HummingbirdTLS
import JWTKit
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// An identity provider of the tests, over TLS on loopback. Whoever is sent to it is logged in as `person`; it can be made
/// to lie.
final class ProviderDouble: Sendable {
    struct State {
        /// Beside those that make a token what it is.
        var person: [String: JSONValue] = [
            "sub": .string("alice-1"), "email": .string("alice@site.test"), "email_verified": .bool(true),
            "name": .string("Alice"), "groups": .array([.string("rdp-users"), .string("engineering")]),
            "amr": .array([.string("pwd")]),
        ]
        var userinfo: [String: JSONValue]?
        /// Put over what is right in the next tokens.
        var lies: [String: JSONValue] = [:]
        var left: Set<String> = []
        /// Replaces the signed token.
        var token: (@Sendable (String) -> String)?
        var issuerOfDocument: String?
        var issuerOfCallback: String?
        var isBroken = false
        var isSlow = false
        var key = ES256PrivateKey()
        var keyID = "first"
        var keyReads = 0
        var codes: [String: Code] = [:]
        var usedCodes: Set<String> = []
        var now = Date(timeIntervalSince1970: 1_800_000_000)
    }

    struct Code {
        var nonce: String
        var challenge: String
        var redirectURI: String
    }

    static let clientID = "edge"
    static let clientSecret = "s3cret"

    let state = Mutex(State())
    private let port = Mutex(0)
    private let authority: CertificateAuthority
    let authorityFile: String

    init() throws {
        authority = try CertificateAuthority(
            name: "provider", notBefore: Date(), notAfter: Date().addingTimeInterval(86_400))
        authorityFile =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("provider-\(UUID().uuidString).pem").path
        try authority.certificatePEM.write(toFile: authorityFile, atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(atPath: authorityFile) }

    var issuer: String { "https://localhost:\(port.withLock { $0 })" }

    func set(_ change: (inout sending State) -> Void) { state.withLock { change(&$0) } }

    func record(id: String = "idp") -> IdentityProvider {
        IdentityProvider(
            id: id, name: "Provider \(id)", issuer: issuer, clientID: Self.clientID,
            clientSecret: .init(Self.clientSecret), claims: ["department"], authorityFile: authorityFile)
    }

    /// Serves while `body` runs.
    func whileServing<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let leaf = try authority.issue(names: ["localhost"], notAfter: Date().addingTimeInterval(3600))
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: [
                .certificate(try NIOSSLCertificate(bytes: Array(leaf.certificatePEM.utf8), format: .pem))
            ],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(leaf.keyPEM.utf8), format: .pem)))
        tls.applicationProtocols = ["http/1.1"]
        let (ports, gotPort) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router(), server: try .tls(.http1(), tlsConfiguration: tls),
            configuration: ApplicationConfiguration(address: .hostname("localhost", port: 0)),
            onServerRunning: { gotPort.yield($0.localAddress?.port ?? 0) },
            logger: Logger(label: "provider") { _ in SwiftLogNoOpLogHandler() })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            var iterator = ports.makeAsyncIterator()
            let bound = await iterator.next() ?? 0
            port.withLock { $0 = bound }
            let result: Result<Value, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
            return try result.get()
        }
    }

    // MARK: Endpoints

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/.well-known/openid-configuration") { _, _ in try await self.document() }
        router.get("/authorize") { request, _ in try self.authorize(request) }
        router.post("/token") { request, _ in try await self.token(request) }
        router.get("/keys") { _, _ in try self.keys() }
        router.get("/userinfo") { _, _ in
            Self.json(.object(self.state.withLock { $0.userinfo ?? [:] }))
        }
        return router
    }

    private static func json(_ value: JSONValue, _ status: HTTPResponse.Status = .ok) -> Response {
        let body = (try? JSONEncoder().encode(value)) ?? Data()
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    private func document() async throws -> Response {
        let (isBroken, named, isSlow, hasUserinfo) = state.withLock {
            ($0.isBroken, $0.issuerOfDocument, $0.isSlow, $0.userinfo != nil)
        }
        // Until whoever asked has lost patience and gone.
        while isSlow, !Task.isCancelled, state.withLock(\.isSlow) { await Task.yield() }
        var members: [String: JSONValue] = [
            "issuer": .string(named ?? issuer), "authorization_endpoint": .string("\(issuer)/authorize"),
            "token_endpoint": .string("\(issuer)/token"), "jwks_uri": .string("\(issuer)/keys"),
            "authorization_response_iss_parameter_supported": .bool(true),
        ]
        if hasUserinfo { members["userinfo_endpoint"] = .string("\(issuer)/userinfo") }
        return Self.json(.object(members), isBroken ? .internalServerError : .ok)
    }

    private func authorize(_ request: Request) throws -> Response {
        let query = request.uri.queryParameters
        func value(_ name: String) throws -> String {
            guard let value = query[Substring(name)] else { throw HTTPError(.badRequest, message: name) }
            return String(value)
        }
        guard try value("response_type") == "code", try value("client_id") == Self.clientID,
            try value("code_challenge_method") == "S256", try value("scope").hasPrefix("openid ")
        else { throw HTTPError(.badRequest) }
        let (redirectURI, given) = (try value("redirect_uri"), try value("state"))
        let code = Code(
            nonce: try value("nonce"), challenge: try value("code_challenge"), redirectURI: redirectURI)
        let name = UUID().uuidString
        let named = state.withLock { state in
            state.codes[name] = code
            return state.issuerOfCallback
        }
        let issuer = (named ?? issuer).replacing(":", with: "%3A").replacing("/", with: "%2F")
        return Response(
            status: .found, headers: [.location: "\(redirectURI)?code=\(name)&state=\(given)&iss=\(issuer)"])
    }

    private func token(_ request: Request) async throws -> Response {
        let body = String(buffer: try await request.body.collect(upTo: 1 << 16))
        let fields = Dictionary(
            body.split(separator: "&").map { field -> (String, String) in
                let parts = field.split(separator: "=", maxSplits: 1)
                return (String(parts[0]), parts[1].removingPercentEncoding ?? "")
            }
        ) { first, _ in first }
        let pair = Data("\(Self.clientID):\(Self.clientSecret)".utf8).base64EncodedString()
        guard request.headers[.authorization] == "Basic \(pair)" else { return Response(status: .unauthorized) }
        let challenge = Base64URL.encode(SHA256.hash(data: Data((fields["code_verifier"] ?? "").utf8)))
        guard
            let code = state.withLock({ $0.codes.removeValue(forKey: fields["code"] ?? "") }),
            code.challenge == challenge, code.redirectURI == fields["redirect_uri"]
        else { return Response(status: .badRequest) }
        let token = try await idToken(nonce: code.nonce)
        return Self.json(.object(["id_token": .string(token), "access_token": .string("opaque")]))
    }

    private func idToken(nonce: String) async throws -> String {
        struct Payload: JWTPayload {
            var claims: [String: JSONValue]

            init(_ claims: [String: JSONValue]) { self.claims = claims }
            init(from decoder: any Decoder) throws { claims = try [String: JSONValue](from: decoder) }
            func encode(to encoder: any Encoder) throws { try claims.encode(to: encoder) }
            func verify(using algorithm: some JWTAlgorithm) {}
        }
        let (person, lies, left, now, key, keyID, change) = state.withLock {
            ($0.person, $0.lies, $0.left, $0.now, $0.key, $0.keyID, $0.token)
        }
        var claims = person
        claims["iss"] = .string(issuer)
        claims["aud"] = .array([.string(Self.clientID)])
        claims["iat"] = .number(now.timeIntervalSince1970)
        claims["exp"] = .number(now.timeIntervalSince1970 + 300)
        claims["auth_time"] = .number(now.timeIntervalSince1970 - 0.25)
        claims["nonce"] = .string(nonce)
        claims.merge(lies) { _, lie in lie }
        for name in left { claims[name] = nil }
        let collection = await JWTKeyCollection().add(ecdsa: key)
        let token = try await collection.sign(Payload(claims), header: ["kid": .string(keyID)])
        return change?(token) ?? token
    }

    private func keys() throws -> Response {
        let (key, keyID) = state.withLock { state in
            state.keyReads += 1
            return (state.key, state.keyID)
        }
        let point = Array(
            try P256.Signing.PublicKey(pemRepresentation: key.publicKey.pemRepresentation).rawRepresentation)
        return Self.json(
            .object([
                "keys": .array([
                    // As real providers have them: kinds that nobody here knows.
                    .object(["kty": .string("oct"), "kid": .string("secret"), "k": .string("AAAA")]),
                    .object(["kty": .string("RSA"), "use": .string("enc"), "kid": .string("enc")]),
                    .object([
                        "kty": .string("EC"), "crv": .string("P-256"), "kid": .string(keyID), "use": .string("sig"),
                        "alg": .string("ES256"), "x": .string(Base64URL.encode(point[..<32])),
                        "y": .string(Base64URL.encode(point[32...])),
                    ]),
                ])
            ]))
    }
}
