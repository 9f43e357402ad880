import EdgeTransport
import Foundation
package import Logging
package import NIOCore
import NIOSSL
package import ServiceHost
import Synchronization

/// The connector daemon: keeps the connections, tells systemd and the metrics endpoint how things are, and ends it all.
///
/// Lives for one `run`, which owns the ConnectionManager, the metrics endpoint and the reports between them. Cancelling
/// `run` ends at once; `stop` ends gracefully.
package actor Supervisor {
    private let configuration: ConnectorConfiguration
    private let metricsAddress: MetricsAddress
    private let group: any EventLoopGroup
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let notifier = SystemdNotifier()
    private let registry = MetricsRegistry()
    private let metrics: ConnectorMetrics
    private let stopping = Gate()
    /// Read by the metrics endpoint without waiting for the actor.
    private let readiness = ReadinessBox()

    private final class ReadinessBox: Sendable {
        let value = Mutex(Readiness())
    }

    package init(
        configuration: ConnectorConfiguration, metricsAddress: MetricsAddress, group: any EventLoopGroup,
        clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.configuration = configuration
        self.metricsAddress = metricsAddress
        self.group = group
        self.clock = clock
        self.logger = logger
        metrics = ConnectorMetrics(registry: registry)
    }

    /// Begins the graceful end; `run` returns when the last connection is over.
    package nonisolated func stop() {
        stopping.open()
    }

    /// Runs the connector until stopped.
    ///
    /// - Throws: `ConnectorError` for a configuration that cannot work or a tunnel the edge refuses; `HostError` when
    ///   the metrics address cannot be had.
    package func run() async throws {
        let tls: NIOSSLContext
        do {
            tls = try EdgeTLS.connector(
                caFile: configuration.edgeCAFile, postQuantumOnly: configuration.postQuantumOnly)
        } catch {
            let file = configuration.edgeCAFile ?? "the system's certificates"
            throw ConnectorError(.badConfiguration, "\(file) cannot be used to check the edge (--cacert)", cause: error)
        }
        let (events, feed) = AsyncStream.makeStream(of: ConnectionEvent.self, bufferingPolicy: .bufferingNewest(1024))
        let proxy = makeProxy()
        let manager = ConnectionManager(
            configuration: configuration, tls: tls, proxy: proxy, group: group, clock: clock, logger: logger,
            report: { feed.yield($0) })
        let endpoint = MetricsEndpoint(
            address: metricsAddress, registry: registry, logger: logger,
            readiness: { [readiness, configuration] in
                ReadinessReport(
                    readyConnections: readiness.value.withLock { $0.readyConnections },
                    connectorID: configuration.connectorID.uuidString.lowercased())
            })
        notifier.status("Connecting to the edge")
        try await withThrowingTaskGroup(of: Bool.self) { children in
            children.addTask {
                try await manager.run()
                return true
            }
            children.addTask {
                try await endpoint.run()
                return false
            }
            children.addTask {
                await self.followReports(events)
                return false
            }
            children.addTask { [stopping, notifier] in
                await stopping.wait()
                if stopping.isOpen {
                    notifier.stopping()
                    manager.drain()
                }
                return false
            }
            // The connections decide: when they are over, so is all else.
            while let connectionsEnded = try await children.next(), !connectionsEnded {}
            children.cancelAll()
        }
        logger.info("Tunnel server stopped")
    }

    private func makeProxy() -> StreamProxy {
        StreamProxy(configuration: configuration, metrics: metrics, logger: logger)
    }

    // MARK: Reports

    private func followReports(_ events: AsyncStream<ConnectionEvent>) async {
        for await event in events {
            let (change, now) = readiness.value.withLock { readiness in
                (readiness.apply(event), readiness)
            }
            record(event)
            switch change {
            case .none:
                break
            case .becameReadyFirst:
                writePIDFile()
                notifier.ready(status: now.status)
            case .changed:
                notifier.status(now.status)
            }
        }
    }

    private func record(_ event: ConnectionEvent) {
        metrics.haConnections.set(readiness.value.withLock { $0.readyConnections })
        if case .connected(let index, let location, _) = event {
            metrics.registerSuccess["registerConnection"].increment()
            metrics.serverLocations["\(index)", location].set(1)
        }
    }

    private func writePIDFile() {
        guard let path = configuration.pidFile else { return }
        do {
            try PIDFile(path: path).write()
        } catch {
            logger.error("Unable to write the pid file", metadata: ["error": "\(error)"])
        }
    }
}
