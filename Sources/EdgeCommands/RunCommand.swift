package import ArgumentParser
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

/// `cloudflared-edge run`: serves connectors and visitors until a signal stops it.
package struct RunCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the edge of a data directory.")

    @Option(name: .customLong("data-dir"), help: ArgumentHelp("The edge's data directory.", valueName: "D"))
    var dataDirectory: String

    @Option(
        name: .customLong("tunnel-listen"), help: "Where connectors connect to, host:port; port 0 takes a free one.")
    var tunnelListen: String?

    @Option(name: .customLong("https-listen"), help: "Where visitors, clients and the account API connect to.")
    var httpsListen: String?

    @Option(help: "Format of the log: default or json.")
    var output: LoggingSetup.ConsoleOutput = .default

    @Option(name: .customLong("loglevel"), help: "debug, info, warn or error.")
    var logLevel = "info"

    package init() {}

    package func run() async throws {
        let logger = LoggingSetup(level: logLevel, output: output)
            .makeLogger(console: .standardError, environment: ProcessInfo.processInfo.environment)
        let directory = try DataDirectory.open(at: dataDirectory)
        try await EdgeRun(
            directory: directory, tunnelListen: tunnelListen, httpsListen: httpsListen, logger: logger
        ).run()
    }
}

extension LoggingSetup.ConsoleOutput: ExpressibleByArgument {}

/// A running edge over a data directory, with its signals and its `listening.json`.
struct EdgeRun {
    var directory: DataDirectory
    var tunnelListen: String?
    var httpsListen: String?
    var logger: Logger
    var onListening: @Sendable (EdgeServer.Listening) async throws -> Void = { _ in }

    func run() async throws {
        DescriptorLimit.raise()
        let settings = directory.settings
        // Before anything is touched that belongs to an edge already running here.
        let lock = try DataDirectoryLock(directory)
        let store = try await directory.openStore()
        let control = ControlServer(store: store, logger: logger)
        let https = try ListenAddress(httpsListen ?? settings.httpsListen)
        let configuration = EdgeServer.Configuration(
            tunnelListen: try ListenAddress(tunnelListen ?? settings.tunnelListen),
            httpsListen: https,
            tunnelTLS: try EdgeTLS.edge(
                certificateFile: directory.tunnelCertificate.certificatePath,
                keyFile: directory.tunnelCertificate.keyPath),
            visitorTLS: try VisitorTLS(certificate: directory.visitorCertificate, own: ownCertificate(for: https)),
            names: VisitorGate.Names(
                api: "api.\(settings.zone)", zone: settings.zone, team: "\(settings.team).\(settings.zone)"))
        let server = EdgeServer(
            configuration: configuration, store: store, account: { await Self.answer($0, control) },
            group: MultiThreadedEventLoopGroup.singleton, logger: logger)
        let file = ListeningFile(dataDirectory: directory.path)
        // An edge that was killed leaves its file behind.
        file.remove()
        let signals = await ProcessSignals()
        defer { file.remove() }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                guard let signal = await signals.firstStop() else { return }
                logger.info("Initiating graceful shutdown due to signal \(signal.name) ...")
                SystemdNotifier().stopping()
                server.drain()
            }
            try await server.run { listening in
                try file.write(listening)
                SystemdNotifier().ready(status: "Listening on \(listening.https), connectors on \(listening.tunnel)")
                try await onListening(listening)
            }
            tasks.cancelAll()
        }
        try store.close()
        withExtendedLifetime(lock) {}
    }

    /// What the account API and the listener's address are answered with. Signed at every start, since the addresses may
    /// have changed.
    private func ownCertificate(for listen: ListenAddress) -> CertificateAuthority.Issued? {
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
            headers: request.headers.map { ($0.name, $0.value) }, body: request.body)
        return AccountResponse(
            status: reply.status, headers: HTTPHeaders(reply.headers.map { ($0.name, $0.value) }), body: reply.body)
    }
}
