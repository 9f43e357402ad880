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

    package init(readyConnections: Int, connectorID: String) {
        self.readyConnections = readyConnections
        self.connectorID = connectorID
    }

    /// The official JSON object, for a process that counts as ready from so many connections on.
    func answer(minimum: Int = 1) -> (status: Int, body: String) {
        let status = readyConnections >= minimum ? 200 : 503
        return (
            status, #"{"status":\#(status),"readyConnections":\#(readyConnections),"connectorId":"\#(connectorID)"}"#
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

    /// - Parameters:
    ///   - readiness: looked up for every request, as the next two; must not block.
    ///   - isAlive: the watchdog's view, for `/livez`.
    ///   - configuration: the rules in force as JSON, without secrets, for `/config`.
    ///   - onListening: told the bound port, nil for a unix socket.
    package init(
        address: MetricsAddress, registry: MetricsRegistry, logger: Logger,
        readiness: @escaping @Sendable () -> ReadinessReport, isAlive: @escaping @Sendable () -> Bool = { true },
        configuration: @escaping @Sendable () -> String = { "{}" },
        onListening: @escaping @Sendable (Int?) -> Void = { _ in }
    ) {
        self.address = address
        self.registry = registry
        self.readiness = readiness
        self.isAlive = isAlive
        self.configuration = configuration
        self.logger = logger
        self.onListening = onListening
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

    private func serve(on bindAddress: BindAddress, named name: String) async throws {
        let wasListening = Mutex(false)
        // Its own lines repeat ours, and report the end that was asked for as an error.
        var quiet = logger
        quiet.logLevel = .critical
        let application = Application(
            router: makeRouter(),
            configuration: ApplicationConfiguration(address: bindAddress),
            onServerRunning: { [logger, onListening] channel in
                wasListening.withLock { $0 = true }
                let bound = Self.text(of: channel.localAddress) ?? name
                logger.info("Starting metrics server on \(bound)/metrics")
                onListening(channel.localAddress?.port)
            },
            logger: quiet)
        do {
            try await Self.runUntilCancelled(application, logger: quiet)
        } catch is CancellationError {
            // The owner asked for the end.
        } catch  where Task.isCancelled {
            // It was not even begun.
        } catch  where !wasListening.withLock({ $0 }) {
            throw HostError(.listen, "cannot serve metrics on \(name); give another --metrics address", cause: error)
        }
        if wasListening.withLock({ $0 }) { logger.info("Metrics server stopped") }
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
