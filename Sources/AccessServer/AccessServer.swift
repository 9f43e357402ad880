package import Access
package import AccessPolicy
import Crypto
package import EdgeStore
package import Foundation
package import Logging
import NIOCore
import NIOHTTP1
import TunnelConfig

/// The identity side of an edge: people log in here by way of their identity providers, and get the tokens that open
/// applications. Has no listener of its own; the edge hands it the requests that are for it.
///
/// Lives as long as the edge. What has only begun is kept in memory: a restart lets people begin anew.
package struct AccessServer: AccessService {
    let store: any ClusterStore
    let policies: PolicyCache
    let names: @Sendable () -> TeamNames
    let audit: AuditLog?
    /// The text of `cert.pem`; nil: none is handed out.
    let accountCertificate: (@Sendable () throws -> String)?
    let logger: Logger
    let clock: any Clock<Duration>
    let now: @Sendable () -> Date

    let keys: KeyRing
    let providers: ProviderClient
    let transfers: TransferStore
    let metadataTokens = MetadataTokens()
    /// Logins that are at an identity provider (access-protocol section 3.13, 1).
    let logins = OneTimeStore<PendingLogin>(lifetime: 600)
    /// Logins that are on the way back to their application (section 3.13, 4).
    let admissions = OneTimeStore<PendingAdmission>(lifetime: 60)
    /// Proves that a form was made for the session that sends it. As old as the process.
    let formKey = SymmetricKey(size: .bits256)

    /// - Parameters:
    ///   - names: asked for every request.
    ///   - providerPatience: how long an identity provider may take for one answer.
    package init(
        store: any ClusterStore, policies: PolicyCache, names: @escaping @Sendable () -> TeamNames, audit: AuditLog?,
        accountCertificate: (@Sendable () throws -> String)? = nil, logger: Logger,
        providerPatience: Duration = .seconds(10), clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.store = store
        self.policies = policies
        self.names = names
        self.audit = audit
        self.accountCertificate = accountCertificate
        self.logger = logger
        self.clock = clock
        self.now = now
        keys = KeyRing(store: store, logger: logger, now: now)
        providers = ProviderClient(patience: providerPatience, now: now)
        transfers = TransferStore(clock: clock, now: now)
    }

    /// Makes the keys that are missing. Before anybody is served.
    package func prepare() async throws { try await keys.maintain() }

    /// Looks after keys, and forgets what was begun and not ended. Until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            do { try await clock.sleep(for: .seconds(60), tolerance: .seconds(5)) } catch { return }
            logins.sweep(now: now())
            admissions.sweep(now: now())
            transfers.sweep()
            do {
                try await keys.maintain()
            } catch {
                logger.warning("Access signing keys cannot be looked after", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: Tokens

    package func claims(of token: String, kind: TokenKind) async -> TokenClaims? {
        await body(of: token, kind: kind).flatMap { TokenClaims($0, kind: kind) }
    }

    func body(of text: String, kind: TokenKind) async -> TokenBody? {
        guard let token = CompactToken(text), let verifier = try? await keys.verifier(for: token) else { return nil }
        return await verifier.body(of: token, kind: kind, issuer: names().issuer, now: now())
    }

    // MARK: Requests

    package func respond(to request: AccessRequest, application: AccessApplication?) async -> AccessResponse {
        let names = names()
        let call = Call(request)
        if request.host == names.store || TeamNames.officialStores.contains(request.host) {
            return await transfer(call)
        }
        if request.host == names.team { return await teamHost(call) }
        return await applicationHost(call, application)
    }

    /// Whether a host is answered by the service alone.
    package func owns(host: String) -> Bool {
        let names = names()
        return host == names.team || host == names.store || TeamNames.officialStores.contains(host)
    }

    private func teamHost(_ call: Call) async -> AccessResponse {
        if let host = call.below("/cdn-cgi/access/login/") { return await loginPage(call, applicationHost: host) }
        if call.method == .get || call.method == .post, let authority = call.rest(below: "/cdn-cgi/access/cli/") {
            return await consent(call, authority: authority)
        }
        return switch (call.path, call.method) {
        case ("/cdn-cgi/access/callback", .get): await callback(call)
        case ("/cdn-cgi/access/cert_sign", .post): await signCertificate(call)
        case ("/cdn-cgi/access/ssh_ca.pub", .get): await authorityLine(of: nil)
        case ("/argotunnel", .get), ("/argotunnel", .post): await accountLogin(call)
        case ("/", .get), ("/", .head): .redirect(to: "/cdn-cgi/access/get-identity")
        default: await common(call)
        }
    }

    private func applicationHost(_ call: Call, _ application: AccessApplication?) async -> AccessResponse {
        switch (call.path, call.method) {
        case ("/cdn-cgi/access/ssh_ca.pub", .get): await authorityLine(of: application)
        case ("/cdn-cgi/access/authorized", .get), ("/cdn-cgi/access/authorized", .head): await authorized(call)
        case ("/cdn-cgi/access/cli", .get): await leadToConsent(call)
        default: await common(call)
        }
    }

    /// What every host of the team answers.
    private func common(_ call: Call) async -> AccessResponse {
        switch (call.path, call.method) {
        case ("/cdn-cgi/access/certs", .get), ("/cdn-cgi/access/certs", .head): await certificates()
        case ("/cdn-cgi/access/get-identity", .get): await identity(call)
        case ("/cdn-cgi/access/logout", .get), ("/cdn-cgi/access/logout", .post): await logout(call)
        default: Pages.notFound().response(ray: call.request.ray)
        }
    }
}

/// A request taken apart as far as all calls need it.
struct Call {
    enum Method { case get, head, post, put, other }

    let request: AccessRequest
    let method: Method
    /// As it came: other spellings of our paths are nobody's.
    let path: String
    /// Nil when it is not well formed.
    let query: Form?
    let cookies: Cookies

    init(_ request: AccessRequest) {
        self.request = request
        method =
            switch request.method {
            case "GET": .get
            case "HEAD": .head
            case "POST": .post
            case "PUT": .put
            default: .other
            }
        let parts = request.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts[0])
        query = Form(parts.count > 1 ? String(parts[1]) : "")
        cookies = Cookies(request.headers)
    }

    /// The rest of the path, for `GET` and `HEAD` only.
    func below(_ folder: String) -> String? {
        method == .get || method == .head ? rest(below: folder) : nil
    }

    func rest(below folder: String) -> String? {
        path.hasPrefix(folder) ? String(path.dropFirst(folder.count)) : nil
    }

    /// The fields of a form that one of our own pages has sent: browsers say where a form comes from.
    var form: Form? {
        guard method == .post,
            request.headers.first(name: "content-type")?.lowercased()
                .hasPrefix("application/x-www-form-urlencoded") == true,
            isFromOwnPage
        else { return nil }
        return Form(String(buffer: request.body))
    }

    private var isFromOwnPage: Bool {
        let site = request.headers["sec-fetch-site"]
        let origin = request.headers["origin"]
        return (site.isEmpty || site == ["same-origin"])
            && (origin.isEmpty || origin == ["https://\(request.authority)"])
    }

    /// Whether the browser says that a page of another site has led here.
    var isFromElsewhere: Bool {
        !(request.headers["sec-fetch-site"].allSatisfy { ["same-origin", "none"].contains($0) })
    }

    var address: IPAddress? { IPAddress(request.address) }
}
