import Access
import AccessServer
import ControlServer
import Edge
import EdgeStore
import EdgeTransport
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceHost

/// A running edge over a data directory, with its signals and its `listening.json`.
struct EdgeRun {
    var directory: DataDirectory
    var tunnelListen: String?
    var httpsListen: String?
    var logger: Logger
    var onListening: @Sendable (EdgeServer.Listening) async throws -> Void = { _ in }

    func run() async throws {
        DescriptorLimit.raise()
        // Before anything is touched that belongs to an edge already running here.
        let lock = try DataDirectoryLock(directory)
        // Before the configuration is read from the files.
        let source = source
        let store = try await directory.openStore()
        try await store.closing { try await serve(store, source) }
        withExtendedLifetime(lock) {}
    }

    private func serve(_ store: SQLiteStore, _ source: EdgeSource) async throws {
        let configuration = try configuration()
        let team = TeamAddress(directory.settings, names: configuration.names, listen: configuration.httpsListen)
        let policies = PolicyCache(source: StorePolicySource(store: store), logger: logger)
        let audit = AuditLog(path: directory.path(of: .audit)) { [logger] error in
            logger.error("Audit log cannot be written", metadata: ["error": "\(error)"])
        }
        let control = ControlServer(store: store, audit: audit, logger: logger)
        let access = AccessServer(
            store: store, policies: policies, names: { team.names }, audit: audit,
            accountCertificate: { [directory] in
                try String(contentsOfFile: directory.path(of: .accountCertificate), encoding: .utf8)
            }, logger: logger)
        try await access.prepare()
        let server = EdgeServer(
            configuration: configuration, store: store, account: { await Self.answer($0, control) }, access: access,
            audit: audit, policies: policies, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
        let service = EdgeService(
            server: server, source: source, drain: configuration.limits.drain, logger: logger)
        let file = ListeningFile(dataDirectory: directory.path)
        // An edge that was killed leaves its file behind.
        file.remove()
        let signals = await ProcessSignals()
        // Another signal, another reader: a reload is no stop.
        let hangUps = await ProcessSignals(watching: [.hangUp])
        defer { file.remove() }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                guard let signal = await signals.firstStop() else { return }
                logger.info("Initiating graceful shutdown due to signal \(signal.name) ...")
                await service.stop()
            }
            tasks.addTask {
                for await _ in hangUps.events { service.reload(because: .hangUp) }
            }
            tasks.addTask { await access.run() }
            tasks.addTask { await audit.run() }
            try await service.run { [onListening] listening in
                team.bound(to: listening.https)
                try file.write(listening)
                try await onListening(listening)
            }
            tasks.cancelAll()
        }
    }

    private func configuration() throws -> EdgeServer.Configuration {
        let settings = directory.settings
        let https = try ListenAddress(httpsListen ?? settings.httpsListen)
        let certificates = try certificates(of: directory, for: https)
        return EdgeServer.Configuration(
            tunnelListen: try ListenAddress(tunnelListen ?? settings.tunnelListen),
            httpsListen: https, tunnelTLS: certificates.tunnel, visitorTLS: certificates.visitor,
            names: VisitorGate.Names(
                api: "api.\(settings.zone)", zone: settings.zone, team: settings.teamHost))
    }

    private func certificates(
        of directory: DataDirectory, for https: ListenAddress
    ) throws -> EdgeCertificates.Pair {
        EdgeCertificates.Pair(
            tunnel: try EdgeTLS.edge(
                certificateFile: directory.tunnelCertificate.certificatePath,
                keyFile: directory.tunnelCertificate.keyPath),
            visitor: try VisitorTLS(
                certificate: directory.visitorCertificate, own: ownCertificate(of: directory, for: https)))
    }

    /// The data directory once more, read as at the start; its files are watched as they are now.
    private var source: EdgeSource {
        EdgeSource(files: directory.watchedFiles) {
            let again = try DataDirectory.open(at: directory.path)
            let files = again.watchedFiles
            let (before, now) = (directory.settings, again.settings)
            guard now.zone == before.zone, now.team == before.team else {
                throw EdgeError(
                    .configuration,
                    "zone and team of a data directory cannot be changed; put \(before.zone) and \(before.team) back")
            }
            let https = try ListenAddress(httpsListen ?? before.httpsListen)
            return EdgeSource.Reading(
                certificates: try certificates(of: again, for: https), files: files,
                needsRestart: [
                    tunnelListen == nil && now.tunnelListen != before.tunnelListen ? "tunnel-listen" : nil,
                    httpsListen == nil && now.httpsListen != before.httpsListen ? "https-listen" : nil,
                    now.publicPort != before.publicPort ? "public-port" : nil,
                    now.teamDomain != before.teamDomain ? "team-domain" : nil,
                ].compactMap { $0 })
        }
    }

    /// What the account API and the listener's address are answered with. Signed at every start and reload, since the
    /// addresses may have changed, and it does not last for ever.
    private func ownCertificate(
        of directory: DataDirectory, for listen: ListenAddress
    ) -> CertificateAuthority.Issued? {
        do {
            return try directory.issueVisitorCertificate(addresses: listen.reachableAddresses)
        } catch {
            logger.warning(
                "The listener's address is not in any certificate: clients must ask by a name of the visitor certificate",
                metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// The account API sits behind the visitors' listener; this turns one form of a request into the other.
    private static func answer(_ request: AccountRequest, _ control: ControlServer) async -> AccountResponse {
        let reply = await control.respond(
            method: request.method, path: request.path,
            headers: request.headers.map { ($0.name, $0.value) }, body: request.body,
            from: ControlServer.Caller(address: request.address, ray: request.ray))
        return AccountResponse(
            status: reply.status, headers: HTTPHeaders(reply.headers.map { ($0.name, $0.value) }), body: reply.body)
    }
}

extension DataDirectory {
    /// What a running edge was made of, but for its database.
    fileprivate var watchedFiles: WatchedFiles {
        WatchedFiles([
            path(of: .settings), tunnelCertificate.certificatePath, tunnelCertificate.keyPath,
            visitorCertificate.certificatePath, visitorCertificate.keyPath,
        ])
    }
}
