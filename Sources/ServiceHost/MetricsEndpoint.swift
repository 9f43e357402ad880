import Foundation
import Hummingbird
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// What `/ready` answers at one moment.
package struct ReadinessReport: Sendable, Equatable {
    /// Registered connections to the edge.
    package var readyConnections: Int
    /// The random identifier of this process, a UUID.
    package var connectorID: String
    /// Why nothing comes through although connections stand; nil when that is not known.
    package var canaryFailure: String?

    package init(readyConnections: Int, connectorID: String, canaryFailure: String? = nil) {
        self.readyConnections = readyConnections
        self.connectorID = connectorID
        self.canaryFailure = canaryFailure
    }

    /// The official JSON object, for a process that counts as ready from so many connections on; with one key more when
    /// the canary says no.
    func answer(minimum: Int = 1) -> (status: Int, body: String) {
        let status = readyConnections >= minimum && canaryFailure == nil ? 200 : 503
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let canary = canaryFailure.flatMap { try? encoder.encode($0) }
            .map { #","canary":"# + String(decoding: $0, as: UTF8.self) }
        return (
            status,
            #"{"status":\#(status),"readyConnections":\#(readyConnections),"connectorId":"\#(connectorID)"\#(canary ?? "")}"#
        )
    }
}

/// The local HTTP server for `/metrics`, `/ready`, `/readyz?min=N`, `/healthcheck`, `/livez`, `/config` and `/quicktunnel`.
///
/// Lives as long as its ``run()``; ends when that is cancelled. Source: cli-and-config.md sections 6.1 and 6.2.
package struct MetricsEndpoint: Sendable {
    private let address: MetricsAddress
    private let registry: MetricsRegistry
    private let readiness: @Sendable () -> ReadinessReport
    private let isAlive: @Sendable () -> Bool
    private let configuration: @Sendable () -> String
    private let logger: Logger
    private let onListening: @Sendable (Int?) -> Void
    private let clock: any Clock<Duration>
    /// Between the end of a server that failed and the next.
    private static let pause: Duration = .seconds(1)

    /// - Parameters:
    ///   - readiness: looked up for every request, as the next two; must not block.
    ///   - isAlive: the watchdog's view, for `/livez`.
    ///   - configuration: the rules in force as JSON, without secrets, for `/config`.
    ///   - onListening: told the bound port, nil for a unix socket.
    package init(
        address: MetricsAddress, registry: MetricsRegistry, logger: Logger,
        readiness: @escaping @Sendable () -> ReadinessReport, isAlive: @escaping @Sendable () -> Bool = { true },
        configuration: @escaping @Sendable () -> String = { "{}" },
        onListening: @escaping @Sendable (Int?) -> Void = { _ in }, clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.address = address
        self.registry = registry
        self.readiness = readiness
        self.isAlive = isAlive
        self.configuration = configuration
        self.logger = logger
        self.onListening = onListening
        self.clock = clock
    }

    /// Serves until cancelled.
    ///
    /// - Throws: ``HostError`` with code `listen` when the address cannot be had.
    package func run() async throws {
        switch address {
        case .off:
            return
        case .unix(let path):
            UnixAddress.removeAbandoned(path)
            try await serve(on: .unixDomainSocket(path: path), named: path)
        case .fixed(let host, let port):
            try await serve(on: .hostname(host, port: port), named: "\(host):\(port)")
        case .automatic(let host):
            for port in MetricsAddress.automaticPorts {
                do {
                    return try await serve(on: .hostname(host, port: port), named: "\(host):\(port)")
                } catch let error as HostError where error.code == .listen {
                    continue
                }
            }
            try await serve(on: .hostname(host, port: 0), named: "\(host):0")
        }
    }

    /// Serves until cancelled. Once it has listened, no trouble of its own ends it: who looks at a connector must not be
    /// able to end it, not even by using up its file descriptors.
    private func serve(on bindAddress: BindAddress, named name: String) async throws {
        let wasListening = Mutex(false)
        let isInTrouble = Mutex(false)
        while true {
            let failure = await serveOnce(on: bindAddress) { [logger, onListening] bound, port in
                wasListening.withLock { $0 = true }
                isInTrouble.withLock { $0 = false }
                logger.info("Starting metrics server on \(bound ?? name)/metrics")
                onListening(port)
            }
            guard let failure, !Task.isCancelled else { break }
            guard wasListening.withLock({ $0 }) else {
                throw HostError(
                    .listen, "cannot serve metrics on \(name); give another --metrics address", cause: failure)
            }
            let isNew = isInTrouble.withLock { isInTrouble in
                defer { isInTrouble = true }
                return !isInTrouble
            }
            if isNew {
                logger.error("Metrics server failed and is started again", metadata: ["error": "\(failure)"])
            }
            guard (try? await clock.sleep(for: Self.pause)) != nil else { break }
        }
        if wasListening.withLock({ $0 }) { logger.info("Metrics server stopped") }
    }

    /// Returns why it ended by itself, nil when it was cancelled.
    private func serveOnce(
        on bindAddress: BindAddress, _ onRunning: @escaping @Sendable (_ bound: String?, _ port: Int?) -> Void
    ) async -> (any Error)? {
        // Its own lines repeat ours, and report the end that was asked for as an error.
        var quiet = logger
        quiet.logLevel = .critical
        let application = Application(
            router: makeRouter(),
            configuration: ApplicationConfiguration(address: bindAddress),
            onServerRunning: { channel in
                onRunning(Self.text(of: channel.localAddress), channel.localAddress?.port)
            },
            logger: quiet)
        do {
            try await Self.runUntilCancelled(application, logger: quiet)
            return nil
        } catch {
            // An end that was asked for may be told as one of several errors.
            return Task.isCancelled ? nil : error
        }
    }

    /// Turns cancellation into the graceful end: a connection that arrives while the server is cancelled traps in NIO,
    /// which insists that every accepted connection is taken.
    private static func runUntilCancelled(_ application: some Service, logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(services: [application], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(2)
        let services = ServiceGroup(configuration: configuration)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        try Task.checkCancellation()
        let ended = eventLoop.makeFutureWithTask { try await services.run() }
        try await withTaskCancellationHandler {
            try await ended.get()
        } onCancel: {
            _ = eventLoop.makeFutureWithTask { await services.triggerGracefulShutdown() }
        }
    }

    private func makeRouter() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("metrics") { [registry] _, _ in
            Self.response(200, MetricsText.contentType, registry.text)
        }
        router.get("ready") { [readiness] _, _ in
            let (status, body) = readiness().answer()
            return Self.response(status, "application/json", body)
        }
        router.get("readyz") { [readiness] request, _ in
            let minimum = request.uri.queryParameters["min"].flatMap { Int($0) } ?? 1
            let (status, body) = readiness().answer(minimum: minimum)
            return Self.response(status, "application/json", body)
        }
        let text = "text/plain; charset=utf-8"
        router.get("healthcheck") { _, _ in Self.response(200, text, "OK\n") }
        router.get("livez") { [isAlive] _, _ in
            isAlive() ? Self.response(200, text, "OK\n") : Self.response(503, text, "parts do not answer\n")
        }
        router.get("config") { [configuration] _, _ in Self.response(200, "application/json", configuration()) }
        // There are no quick tunnels here; monitors of the official client read an empty name as that.
        router.get("quicktunnel") { _, _ in Self.response(200, "application/json", #"{"hostname":""}"#) }
        return router
    }

    private static func response(_ status: Int, _ contentType: String, _ body: String) -> Response {
        Response(
            status: HTTPResponse.Status(code: status),
            headers: [.contentType: contentType],
            body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
    }

    private static func text(of address: SocketAddress?) -> String? {
        guard let address, let host = address.ipAddress, let port = address.port else { return address?.pathname }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
