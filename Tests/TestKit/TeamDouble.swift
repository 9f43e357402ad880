package import Access
package import AccessPolicy
import CryptoExtras
import Foundation
import JWTKit
package import NIOHTTP1
package import Synchronization

/// A team, an application behind it and a transfer store, in memory: answers what a login asks, with tokens that are truly
/// signed, and remembers who was sent what.
package final class TeamDouble: LoginTransport {
    /// What came, in its order.
    package struct Asked: Sendable {
        package var method: String
        package var url: WebURL
        package var headers: HTTPHeaders
    }

    package struct State: Sendable {
        package var asked: [Asked] = []
        /// Application tokens that the application takes.
        package var tokens: Set<String> = []
        /// Whether tokens that are made from now on count.
        package var makesGoodTokens = true
        /// Team tokens with which an application token is to be had.
        package var sessions: Set<String> = []
        /// Whether a login hands out a team token.
        package var handsOutSessions = true
        /// Keys under which somebody has logged in.
        package var approved: Set<String> = []
        /// Whether the person is already at the browser: every poll finds its login done.
        package var isApprovedAtOnce = true
        /// Where the application sends those without a token, if not to its team.
        package var loginPlace: String?
        /// Claims of the metadata that are not as they should be.
        package var metadata: [String: JSONValue] = [:]
        /// Seconds that tokens are valid.
        package var life = 3600
        package var serial = 0
    }

    package let audience = String(repeating: "ab", count: 32)
    package let application: String
    package let team: String
    package let store: String
    package let state = Mutex(State())
    private let key: JWTKit.Insecure.RSA.PrivateKey
    private let keyID: String

    /// Names without port; `port` is that of all of them.
    package init(zone: String = "localhost", port: Int = 8443) throws {
        application = "rdp.\(zone):\(port)"
        team = "acme.\(zone):\(port)"
        store = "login.\(zone):\(port)"
        key = try Self.sharedKey.get()
        keyID = "k1"
    }

    /// Made once a test process: it takes a while.
    private static let sharedKey = Result {
        try JWTKit.Insecure.RSA.PrivateKey(pem: _RSA.Signing.PrivateKey(keySize: .bits2048).pemRepresentation)
    }

    package func asked(_ path: String) -> [Asked] { state.withLock { $0.asked.filter { $0.url.path.hasPrefix(path) } } }
    package func url(_ path: String = "/") -> WebURL? { WebURL("https://\(application)\(path)") }

    // MARK: Tokens

    private struct Claims: JWTPayload {
        var fields: [String: JSONValue]

        init(_ fields: [String: JSONValue]) { self.fields = fields }
        init(from decoder: any Decoder) throws { fields = try [String: JSONValue](from: decoder) }
        func encode(to encoder: any Encoder) throws { try fields.encode(to: encoder) }
        func verify(using algorithm: some JWTAlgorithm) throws {}
    }

    package func sign(_ fields: [String: JSONValue], keyID: String? = "k1") async throws -> String {
        let keys = JWTKeyCollection()
        await keys.add(rsa: key, digestAlgorithm: .sha256)
        var header = JWTHeader()
        header.kid = keyID
        return try await keys.sign(Claims(fields), header: header)
    }

    package func metadata() async throws -> String {
        var fields: [String: JSONValue] = [
            "type": .string("match"), "hostname": .string(Self.host(application)), "auth_domain": .string(team),
            "aud": .string(audience), "app_hostname": .string(Self.host(application)), "iat": .number(Self.now),
        ]
        fields.merge(state.withLock { $0.metadata }) { $1 }
        return try await sign(fields)
    }

    /// A token for the application or, of type `org`, for the team.
    package func token(_ type: String = "app") async throws -> String {
        let (serial, life, isGood) = state.withLock { state in
            state.serial += 1
            return (state.serial, state.life, state.makesGoodTokens)
        }
        let token = try await sign([
            "type": .string(type), "aud": .array([.string(type == "app" ? audience : team)]),
            "iss": .string("https://\(team)"), "sub": .string("user-\(serial)"), "iat": .number(Self.now),
            "exp": .number(Self.now + Double(life)),
        ])
        state.withLock { state in
            if type == "org" { state.sessions.insert(token) } else if isGood { state.tokens.insert(token) }
        }
        return token
    }

    package var keySet: String {
        guard let (modulus, exponent) = try? key.publicKey.getKeyPrimitives() else { return "" }
        func text(_ bytes: Data) -> String { Base64URL.encode(bytes) }
        return """
            {"keys":[{"kty":"OKP","kid":"other","crv":"Ed25519"},{"kty":"RSA","use":"sig","alg":"RS256","kid":"\(keyID)",\
            "n":"\(text(modulus))","e":"\(text(exponent))"}],"public_cert":{}}
            """
    }

    private static var now: Double { Date().timeIntervalSince1970.rounded(.down) }
    private static func host(_ authority: String) -> String { String(authority.prefix { $0 != ":" }) }

    // MARK: Answers

    package func send(_ request: WebRequest) async throws -> WebAnswer {
        state.withLock {
            $0.asked.append(Asked(method: request.method.rawValue, url: request.url, headers: request.headers))
        }
        switch request.url.authority {
        case application: return try await atApplication(request)
        case team: return try await atTeam(request)
        case store: return try await atStore(request)
        default: return WebAnswer(status: 404)
        }
    }

    /// Whether the application lets a request in.
    package func admits(_ headers: HTTPHeaders) -> Bool {
        let cookie = headers["cookie"].first { $0.hasPrefix("CF_Authorization=") }?.dropFirst("CF_Authorization=".count)
        guard let token = headers.first(name: "cf-access-token") ?? cookie.map(String.init) else { return false }
        return state.withLock { $0.tokens.contains(token) }
    }

    private func atApplication(_ request: WebRequest) async throws -> WebAnswer {
        if request.headers.contains(name: "cf-access-metadata-request") {
            return WebAnswer(status: 200, headers: ["cf-access-metadata": try await metadata()])
        }
        if request.url.path.hasPrefix("/cdn-cgi/access/authorized") {
            guard request.headers["cookie"] == ["CF_AppSession=S1"] else { return WebAnswer(status: 400) }
            return WebAnswer(
                status: 302,
                headers: [
                    "location": "/",
                    "set-cookie": "CF_Authorization=\(try await token()); Path=/; Secure; HttpOnly",
                ])
        }
        guard admits(request.headers) else { return loginRedirect }
        return request.url.path == "/away"
            ? WebAnswer(status: 302, headers: ["location": "https://\(store)/stolen"]) : WebAnswer(status: 200)
    }

    package var loginRedirect: WebAnswer {
        let place = state.withLock { $0.loginPlace } ?? "https://\(team)/cdn-cgi/access/login/\(Self.host(application))"
        return WebAnswer(
            status: 302,
            headers: ["location": "\(place)?kid=\(audience)", "set-cookie": "CF_AppSession=S1; Path=/; Secure"])
    }

    private func atTeam(_ request: WebRequest) async throws -> WebAnswer {
        switch request.url.path {
        case "/cdn-cgi/access/certs": return WebAnswer(status: 200, body: Array(keySet.utf8))
        case "/cdn-cgi/access/cert_sign":
            return WebAnswer(
                status: 200,
                body: Array(
                    #"{"id":"1","certificate":"ecdsa-sha2-nistp256-cert-v01@openssh.com AAAA","expires_at":"2030-01-01T00:00:00Z"}"#
                        .utf8))
        default: break
        }
        let cookie = request.headers.first(name: "cookie")?.dropFirst("CF_Authorization=".count) ?? ""
        guard state.withLock({ $0.sessions.contains(String(cookie)) }) else {
            return WebAnswer(status: 302, headers: ["location": "https://provider.test/authorize?client_id=1"])
        }
        return WebAnswer(
            status: 302, headers: ["location": "https://\(application)/cdn-cgi/access/authorized?nonce=N&state=S"])
    }

    private func atStore(_ request: WebRequest) async throws -> WebAnswer {
        let isTransfer = request.url.path.hasPrefix("/transfer/")
        let text = String(request.url.path.dropFirst(isTransfer ? "/transfer/".count : 1))
        let isApproved = state.withLock { $0.isApprovedAtOnce || $0.approved.contains(text) }
        guard isApproved, let key = SealedBox.PublicKey(text: text), let pair = SealedBox.KeyPair.generate() else {
            return WebAnswer(status: 404)
        }
        guard isTransfer else { return WebAnswer(status: 200, body: Array(Self.certificate.utf8)) }
        let isWhole = state.withLock { $0.handsOutSessions }
        let message = #"{"app_token":"\#(try await token())","org_token":"\#(isWhole ? try await token("org") : "")"}"#
        guard let sealed = SealedBox.seal(Array(message.utf8), to: key, from: pair) else {
            return WebAnswer(status: 500)
        }
        return WebAnswer(
            status: 200, headers: ["service-public-key": pair.publicKey.text],
            body: Array(Data(sealed).base64EncodedString().utf8))
    }

    /// As the account's page leaves it for `login`.
    package static let certificate = """
        -----BEGIN ARGO TUNNEL TOKEN-----
        \(Data(#"{"zoneID":"z1","accountID":"a1","apiToken":"t1"}"#.utf8).base64EncodedString())
        -----END ARGO TUNNEL TOKEN-----

        """
}

/// Remembers what would have been brought before a person.
package final class PresenterDouble: LoginPresenter {
    package let pages = Mutex<[LoginPage]>([])
    package let waits = Mutex<[Int32]>([])
    private let onPage: @Sendable (LoginPage) -> Void

    package init(onPage: @escaping @Sendable (LoginPage) -> Void = { _ in }) { self.onPage = onPage }

    package var count: Int { pages.withLock { $0.count } }

    package func present(_ page: LoginPage) {
        pages.withLock { $0.append(page) }
        onPage(page)
    }

    package func otherProcessWaits(pid: Int32, url: String?) { waits.withLock { $0.append(pid) } }
    package func stillWaiting() {}
}
