import Access
import AccessPolicy
import Edge
import EdgeStore
import EdgeTransport
import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Testing
import TunnelConfig

/// A running edge on loopback, with a store in memory and certificates of its own. Ends with the closure of `with`.
struct EdgeHarness: Sendable {
    let server: EdgeServer
    let store: MemoryStore
    let directory: DataDirectory
    let tunnelPort: Int
    let httpsPort: Int
    let tunnel: TunnelRecord

    static let zone = "site.test"

    /// Certificates are made once per test process.
    private static let shared = Task {
        let path = FileManager.default.temporaryDirectory.appending(path: "edge-tests-\(UUID().uuidString)").path
        return try await DataDirectory.initialize(at: path, plan: DataDirectory.Plan(zone: zone))
    }

    /// Runs an edge that has one tunnel, `home`, to which `open.site.test` (open), `closed.site.test` (not opened),
    /// `guarded.site.test` (service token) lead, and `idle.site.test` leads to a tunnel without connectors.
    static func with(
        limits: EdgeLimits = EdgeLimits(), account: AccountAPI? = nil, access: (any AccessService)? = nil,
        audit: AuditLog? = nil, policies: PolicyCache? = nil, loops: Int = 1, _ body: (EdgeHarness) async throws -> Void
    ) async throws {
        let directory = try await shared.value
        let store = try await filledStore()
        var configuration = try configuration(of: directory)
        configuration.limits = limits
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let server = EdgeServer(
            configuration: configuration, store: store, account: account, access: access, audit: audit,
            policies: policies,
            group: group, logger: quiet)
        let (addresses, bound) = AsyncStream.makeStream(of: EdgeServer.Listening.self)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { bound.finish() }
                try await server.run { bound.yield($0) }
            }
            for await listening in addresses {
                let harness = EdgeHarness(
                    server: server, store: store, directory: directory, tunnelPort: port(listening.tunnel),
                    httpsPort: port(listening.https), tunnel: home)
                try await body(harness)
                break
            }
            tasks.cancelAll()
            try await tasks.waitForAll()
        }
        try await group.shutdownGracefully()
    }

    static let quiet = Logger(label: "edge", factory: { _ in SwiftLogNoOpLogHandler() })

    private static func configuration(of directory: DataDirectory) throws -> EdgeServer.Configuration {
        EdgeServer.Configuration(
            tunnelListen: try ListenAddress("127.0.0.1:0"), httpsListen: try ListenAddress("127.0.0.1:0"),
            tunnelTLS: try EdgeTLS.edge(
                certificateFile: directory.tunnelCertificate.certificatePath,
                keyFile: directory.tunnelCertificate.keyPath),
            visitorTLS: try VisitorTLS(
                certificate: directory.visitorCertificate,
                own: directory.issueVisitorCertificate(addresses: ["127.0.0.1"])),
            names: VisitorGate.Names(api: "api.\(zone)", zone: zone, team: "access.\(zone)"))
    }

    func configuration() async throws -> EdgeServer.Configuration {
        try Self.configuration(of: directory)
    }

    private static func port(_ text: String) -> Int {
        text.split(separator: ":").last.flatMap { Int($0) } ?? 0
    }

    static let home = TunnelRecord(
        id: UUID(), name: "home", accountTag: "0123456789abcdef",
        secret: TunnelSecret(Array("a-secret-of-32-bytes-in-all-here".utf8)),
        createdAt: Date())
    static let idle = TunnelRecord(
        id: UUID(), name: "idle", accountTag: "0123456789abcdef", secret: TunnelSecret(Array(repeating: 7, count: 32)),
        createdAt: Date())
    static let serviceToken = ServiceTokenID(rawValue: "visitor.access")
    static let serviceSecret = "the-secret-of-the-visitor"
    static let expiredToken = ServiceTokenID(rawValue: "old.access")
    static let otherToken = ServiceTokenID(rawValue: "other.access")

    private static func filledStore() async throws -> MemoryStore {
        let account = Account(
            id: "0123456789abcdef", zoneID: "fedcba9876543210", zone: zone, team: "team",
            tokenHash: Account.hash(token: "token".utf8), createdAt: Date())
        let store = MemoryStore(account: account)
        try await store.createTunnel(home)
        try await store.createTunnel(idle)
        for host in ["open", "closed", "guarded"] {
            _ = try await store.setRoute("\(host).\(zone)", to: home.id, overwrite: false, at: Date())
        }
        _ = try await store.setRoute("idle.\(zone)", to: idle.id, overwrite: false, at: Date())
        let hash = ServiceTokenSecret(serviceSecret).hash
        try await store.addServiceToken(
            ServiceTokenRecord(id: serviceToken, secretHash: hash, name: "visitor", createdAt: Date()))
        try await store.addServiceToken(
            ServiceTokenRecord(id: otherToken, secretHash: hash, name: "other", createdAt: Date()))
        try await store.addServiceToken(
            ServiceTokenRecord(
                id: expiredToken, secretHash: hash, name: "old", createdAt: Date(), expiresAt: Date.distantPast))
        try await store.open("open.\(zone)")
        try await store.open("idle.\(zone)")
        let guarded = AccessApplication.forServiceTokens(
            [serviceToken.rawValue, expiredToken.rawValue], at: try #require(ApplicationHostname("guarded.\(zone)")))
        try await store.changeAccess([.put(AccessDocument(guarded))], expecting: nil)
        return store
    }

    /// A connector that is registered for `home`, ready for streams.
    func connector(
        index: UInt8 = 0, clientID: UUID = UUID(), serve: @escaping @Sendable (LinkStream) -> Void
    ) async throws -> TestConnector {
        let connector = try await TestConnector.dial(self, index: index, clientID: clientID, serve: serve)
        _ = try await connector.registration().get()
        try await connector.isRouted(in: store)
        return connector
    }

    /// Runs curl against the edge with the host name's certificate checked. HTTP/1.1 unless `arguments` say otherwise.
    func curl(_ host: String, _ path: String = "/", _ arguments: [String] = [], input: Data? = nil) async throws
        -> CurlAnswer
    {
        try await CurlAnswer.run(
            [
                "--cacert", directory.path(of: .authority), "--resolve", "\(host):\(httpsPort):127.0.0.1", "--max-time",
                "60",
            ] + arguments + ["https://\(host):\(httpsPort)\(path)"], input: input)
    }

    func visitor(_ host: String = "open.site.test") async throws -> RawVisitor {
        try await RawVisitor.connect(
            port: httpsPort, serverName: host, authorityFile: directory.path(of: .authority))
    }
}

extension MemoryStore {
    /// Lets everybody pass to `host`.
    func open(_ host: String) throws {
        let application = AccessApplication.open(try #require(ApplicationHostname(host)))
        try changeAccess([.put(AccessDocument(application))], expecting: nil)
    }
}
