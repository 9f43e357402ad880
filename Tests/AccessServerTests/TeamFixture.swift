import Access
import AccessPolicy
import AsyncHTTPClient
import EdgeStore
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization
import TestKit
import TunnelConfig

@testable import AccessServer

/// An Access service over a store in memory, with the hosts that people come to, and time that stands still.
final class TeamFixture: Sendable {
    static let start = Date(timeIntervalSince1970: 1_800_000_000)
    static let names = TeamNames(team: "acme.site.test", store: "login.site.test", port: 8443)

    /// Making an RSA key takes a while, so all tests share one.
    private static let key = Result { try TokenSigner.generateKey() }

    let store: MemoryStore
    let server: AccessServer
    let policies: PolicyCache
    let clock = ManualClock()
    let audit: AuditLog
    private let time = Time()

    private final class Time: Sendable {
        let now = Mutex(TeamFixture.start)
    }

    private struct Source: PolicySource {
        let store: MemoryStore

        func version() async throws -> Int { await store.version() }
        func load() async throws -> AccessSnapshot { try await store.access() }
    }

    /// - Parameter yaml: of `access.yml`, without identity providers.
    init(
        _ yaml: String = TeamFixture.applications, providers: [IdentityProvider],
        providerPatience: Duration = .seconds(10)
    ) async throws {
        store = MemoryStore(
            account: Account(
                id: "0123456789abcdef0123456789abcdef", zoneID: "fedcba9876543210fedcba9876543210", zone: "site.test",
                team: "acme", tokenHash: Account.hash(token: "t".utf8), createdAt: Self.start))
        let (id, pem) = try Self.key.get()
        try await store.addSigningKey(
            SigningKey(
                id: id, purpose: .tokens, privateKeyPEM: pem, createdAt: Self.start, signsFrom: Self.start))
        var documents = try AccessFile.parse(yaml, path: "access.yml").documents
        // Nobody could log in by what its policy asks for.
        if providers.isEmpty { documents.removeAll { $0.id == "other" } }
        documents += providers.map { AccessDocument($0) }
        try await store.changeAccess(documents.map { .put($0) }, expecting: nil)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        policies = PolicyCache(
            source: Source(store: store), clock: clock, leastPause: .zero, logger: logger)
        audit = AuditLog(
            path: FileManager.default.temporaryDirectory.appendingPathComponent("audit-\(UUID().uuidString)").path)
        server = AccessServer(
            store: store, policies: policies, names: { Self.names }, audit: audit,
            accountCertificate: { "-----BEGIN ARGO TUNNEL TOKEN-----\n" }, logger: logger,
            providerPatience: providerPatience, clock: clock,
            now: { [time] in time.now.withLock { $0 } })
        try await server.prepare()
        try await policies.refreshNow()
    }

    static let applications = """
        applications:
          - id: app
            name: The App
            aud: aaaa
            domains: [app.site.test]
            policies:
              - name: people
                decision: allow
                include: [{email_domain: {domain: site.test}}]
          - id: other
            aud: bbbb
            domains: [other.site.test]
            policies:
              - name: rdp
                decision: allow
                include: [{oidc: {identity_provider_id: idp, claim_name: groups, claim_value: rdp-users}}]
          - id: ssh
            aud: cccc
            type: ssh
            domains: [ssh.site.test]
            policies:
              - name: people
                decision: allow
                include: [{email_domain: {domain: site.test}}]
          - id: account
            aud: dddd
            domains: [acme.site.test/argotunnel]
            policies:
              - name: alice
                decision: allow
                include: [{email: {email: alice@site.test}}]
          - id: closed
            aud: eeee
            domains: [closed.site.test]
            policies:
              - name: nobody of us
                decision: allow
                include: [{email_domain: {domain: else.test}}]
        """

    var now: Date { time.now.withLock { $0 } }

    func pass(_ seconds: TimeInterval) { time.now.withLock { $0 += seconds } }

    func application(_ id: String) -> AccessApplication? {
        policies.snapshot.configuration.applications.first { $0.id == id }
    }
}

/// A browser, or a program without one, with the cookies it was given. The edge before the service is as thin as can be.
final class Browser: Sendable {
    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var body: String

        var location: String { headers.first(name: "location") ?? "" }
    }

    let team: TeamFixture
    let address: String
    private let cookies = Mutex([String: [String: String]]())
    private let trusted: String?

    /// - Parameter provider: whom it trusts.
    init(_ team: TeamFixture, provider: ProviderDouble? = nil, address: String = "192.0.2.7") {
        self.team = team
        self.address = address
        trusted = provider?.authorityFile
    }

    func cookie(_ name: String, at host: String) -> String? { cookies.withLock { $0[host]?[name] } }

    func set(_ name: String, _ value: String?, at host: String) {
        cookies.withLock { $0[host, default: [:]][name] = value }
    }

    /// One request, no redirect followed.
    func send(
        _ method: String = "GET", _ url: String, form: String? = nil, headers: HTTPHeaders = [:],
        sendsCookies: Bool = true
    ) async throws -> Answer {
        guard let parts = URLComponents(string: url), let host = parts.host else { throw URLError(.badURL) }
        if host == "localhost" { return try await visitProvider(url) }
        let authority = parts.port.map { "\(host):\($0)" } ?? host
        let target = url.dropFirst("https://\(authority)".count)
        var all = headers
        let own = cookies.withLock { $0[host] ?? [:] }
        if sendsCookies, !own.isEmpty {
            all.add(
                name: "cookie",
                value: own.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "; "))
        }
        if form != nil { all.add(name: "content-type", value: "application/x-www-form-urlencoded") }
        let request = AccessRequest(
            method: method, target: target.isEmpty ? "/" : String(target), host: host, authority: authority,
            headers: all, body: ByteBuffer(string: form ?? ""), address: address, ray: "ray")
        let response = await pass(request)
        for line in response.headers["set-cookie"] { keep(line, host) }
        return Answer(status: response.status, headers: response.headers, body: String(buffer: response.body))
    }

    /// Follows redirects until something else comes.
    func open(_ url: String, _ method: String = "GET") async throws -> (url: String, answer: Answer) {
        var url = url
        for _ in 0..<12 {
            let answer = try await send(method, url)
            guard answer.status == 302 else { return (url, answer) }
            url = Self.resolve(answer.location, against: url)
        }
        throw URLError(.httpTooManyRedirects)
    }

    static func resolve(_ location: String, against url: String) -> String {
        guard location.hasPrefix("/"), let parts = URLComponents(string: url), let host = parts.host else {
            return location
        }
        return "https://\(host)\(parts.port.map { ":\($0)" } ?? "")\(location)"
    }

    private func pass(_ request: AccessRequest) async -> AccessResponse {
        let server = team.server
        let configuration = team.policies.snapshot.configuration
        if server.owns(host: request.host) { return await server.respond(to: request, application: nil) }
        let match = configuration.match(authority: request.authority, target: request.target)
        var guarding: AccessApplication?
        if case .application(let application, _) = match { guarding = application }
        if request.target.hasPrefix("/cdn-cgi/access/") {
            return await server.respond(to: request, application: guarding)
        }
        guard let application = guarding else { return AccessResponse(status: 404) }
        if request.headers.contains(name: "cf-access-metadata-request") {
            return await server.metadata(for: application, request)
        }
        let token =
            request.headers.first(name: "cf-access-token") ?? Cookies(request.headers)[Cookies.authorization].text
        if let token, let claims = await server.claims(of: token, kind: .app),
            team.policies.snapshot.session(of: claims, audience: application.audience, now: team.now) != nil
        {
            return AccessResponse(status: 200, body: ByteBuffer(string: "origin of \(application.id)"))
        }
        return await server.login(to: application, request, lack: .missing)
    }

    private func keep(_ line: String, _ host: String) {
        let parts = line.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
        let pair = parts[0].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let isOver = parts.contains("Expires=Thu, 01 Jan 1970 00:00:00 GMT")
        set(String(pair[0]), isOver ? nil : String(pair[1]), at: host)
    }

    private func visitProvider(_ url: String) async throws -> Answer {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let trusted { tls.trustRoots = .file(trusted) }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.redirectConfiguration = .disallow
        return try await HTTPClient.withHTTPClient(configuration: configuration) { http in
            let response = try await http.execute(HTTPClientRequest(url: url), timeout: .seconds(20))
            let body = try await response.body.collect(upTo: 1 << 20)
            return Answer(
                status: Int(response.status.code), headers: response.headers, body: String(buffer: body))
        }
    }
}

/// Runs `body` with a team, its identity provider, and a browser that nobody has used yet.
func withTeam(
    _ yaml: String = TeamFixture.applications,
    _ body: @escaping @Sendable (TeamFixture, ProviderDouble, Browser) async throws -> Void
) async throws {
    let provider = try ProviderDouble()
    try await provider.whileServing {
        let team = try await TeamFixture(yaml, providers: [provider.record()])
        try await body(team, provider, Browser(team, provider: provider))
    }
}
