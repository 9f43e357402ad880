import EdgeTransport
import Foundation
package import Logging
package import NIOCore
import NIOSSL
package import ServiceHost
import Synchronization
import TunnelConfig

/// The connector daemon: keeps the connections, tells systemd and the metrics endpoint how things are, puts a changed
/// configuration in force, and ends it all.
///
/// Lives for one `run`, which owns the ConnectionManager, the metrics endpoint, the configuration watcher, the watchdog
/// and the reports between them. Cancelling `run` ends at once; `stop` ends gracefully.
package actor Supervisor {
    private let configuration: ConnectorConfiguration
    private let metricsAddress: MetricsAddress
    private let source: ConfigurationSource?
    private let group: any EventLoopGroup
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let notifier = SystemdNotifier()
    private let registry = MetricsRegistry()
    private let metrics: ConnectorMetrics
    private let hostMetrics: HostMetrics
    private let stopping = Gate()
    private let current: CurrentConfiguration
    private var notice: ServiceNotice.StateMachine
    /// Connections that are kept, as far as there are addresses for them.
    private var wanted: Int
    /// Read by the metrics endpoint without waiting for the actor.
    private let readiness = ReadinessBox()
    /// Why the configuration is to be read again. While it is read, one more reason is kept: it is read once more.
    private let reloads = AsyncStream.makeStream(of: ReloadCause.self, bufferingPolicy: .bufferingNewest(1))

    private final class ReadinessBox: Sendable {
        let value = Mutex(Readiness())
        let lastProbe = Mutex(NIODeadline.now())
    }

    /// Why the configuration is read again.
    package enum ReloadCause: String, Sendable {
        case hangUp = "SIGHUP"
        case fileChanged = "the file changed"
    }

    /// - Parameter source: where a reload finds the configuration; nil for none.
    package init(
        configuration: ConnectorConfiguration, metricsAddress: MetricsAddress, source: ConfigurationSource? = nil,
        group: any EventLoopGroup, clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.configuration = configuration
        self.metricsAddress = metricsAddress
        self.source = source
        self.group = group
        self.clock = clock
        self.logger = logger
        metrics = ConnectorMetrics(registry: registry)
        hostMetrics = HostMetrics(registry: registry)
        current = CurrentConfiguration(configuration.served)
        wanted = configuration.wantedConnections
        notice = ServiceNotice.StateMachine(
            needed: configuration.readyPolicy.connections(of: configuration.wantedConnections),
            status: "Connecting to the edge")
    }

    /// Begins the graceful end; `run` returns when the last connection is over.
    package nonisolated func stop() {
        stopping.open()
    }

    /// Reads the configuration again, soon.
    package nonisolated func reload(because cause: ReloadCause) {
        reloads.continuation.yield(cause)
    }

    /// Runs the connector until stopped.
    ///
    /// - Throws: `ConnectorError` for a configuration that cannot work or a tunnel the edge refuses; `HostError` when
    ///   the metrics address cannot be had.
    package func run() async throws {
        let tls = try edgeTLS()
        let (events, feed) = AsyncStream.makeStream(of: ConnectionEvent.self, bufferingPolicy: .bufferingNewest(1024))
        var configuration = configuration
        configuration.currentLocalConfiguration = { [current] in current.now.localConfiguration }
        let asides = Asides(limit: configuration.maximumStreams)
        let manager = ConnectionManager(
            configuration: configuration, tls: tls,
            proxy: StreamProxy(
                configuration: configuration, current: current, asides: asides, metrics: metrics, logger: logger),
            group: group, clock: clock, logger: logger, report: { feed.yield($0) })
        let endpoint = makeEndpoint()
        perform(notice.started())
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
            children.addTask {
                await asides.run()
                return false
            }
            children.addTask {
                await self.followReloads(manager)
                return false
            }
            children.addTask {
                await self.watchFile()
                return false
            }
            children.addTask {
                await self.keepProbing(manager)
                return false
            }
            if let canary = configuration.canary {
                children.addTask { [clock] in
                    await canary.run(clock: clock) { await self.canaryAnswered($0) }
                    return false
                }
            }
            children.addTask { [stopping] in
                await stopping.wait()
                if stopping.isOpen { await self.drain(manager) }
                return false
            }
            // The connections decide: when they are over, so is all else.
            while let connectionsEnded = try await children.next(), !connectionsEnded {}
            children.cancelAll()
        }
        logger.info("Tunnel server stopped")
    }

    private func edgeTLS() throws -> NIOSSLContext {
        do {
            return try EdgeTLS.connector(
                caFile: configuration.edgeCAFile, postQuantumOnly: configuration.postQuantumOnly)
        } catch {
            let file = configuration.edgeCAFile ?? "the system's certificates"
            throw ConnectorError(.badConfiguration, "\(file) cannot be used to check the edge (--cacert)", cause: error)
        }
    }

    private func makeEndpoint() -> MetricsEndpoint {
        let (readiness, current, connectorID) = (readiness, current, configuration.connectorID)
        return MetricsEndpoint(
            address: metricsAddress, registry: registry, logger: logger,
            readiness: {
                let now = readiness.value.withLock { $0 }
                return ReadinessReport(
                    readyConnections: now.readyConnections, connectorID: connectorID.uuidString.lowercased(),
                    canaryFailure: now.canaryFailure)
            },
            isAlive: { readiness.lastProbe.withLock { NIODeadline.now() - $0 } < Self.longestSilence },
            configuration: { current.now.report })
    }

    private func drain(_ manager: ConnectionManager) {
        perform(notice.stopRequested())
        manager.drain()
    }

    // MARK: Reports

    private func followReports(_ events: AsyncStream<ConnectionEvent>) async {
        for await event in events {
            let (change, now) = readiness.value.withLock { readiness in
                (readiness.apply(event), readiness)
            }
            record(event, now)
            if case .addressesFound(let count) = event { limit(to: count) }
            if change == .becameReadyFirst { writePIDFile() }
            guard change != .none else { continue }
            perform(
                notice.changed(
                    ready: now.readyConnections, status: now.status(wanted: wanted)))
        }
    }

    private func canaryAnswered(_ answer: Canary.Answer) {
        hostMetrics.canarySuccessful.set(answer.failure == nil ? 1 : 0)
        if answer.failure != nil { hostMetrics.canaryFailures.increment() }
        let (change, now) = readiness.value.withLock { readiness in
            (readiness.canaryAnswered(counting: answer.countedFailure), readiness)
        }
        guard change != .none else { return }
        if let failure = now.canaryFailure {
            logger.error("The ready canary does not come back", metadata: ["error": "\(failure)"])
        } else {
            logger.info("The ready canary comes back again")
        }
        perform(
            notice.changed(
                ready: now.readyConnections, status: now.status(wanted: wanted)))
    }

    /// What cannot come about is not waited for.
    private func limit(to addresses: Int) {
        guard addresses > 0 else { return }
        wanted = min(configuration.wantedConnections, addresses)
        perform(notice.needChanged(to: configuration.readyPolicy.connections(of: wanted)))
    }

    private func record(_ event: ConnectionEvent, _ now: Readiness) {
        metrics.haConnections.set(now.readyConnections)
        switch event {
        case .connected(let index, let location, _):
            metrics.registerSuccess["registerConnection"].increment()
            metrics.moved(connection: index, to: location)
            metrics.tunnelIDs[configuration.credentials.tunnelID.uuidString.lowercased(), "\(index)"].set(1)
        case .reconnecting(let index, _):
            hostMetrics.reconnects["\(index)"].increment()
        case .registrationFailed(_, let isDuplicate):
            metrics.registerFail[isDuplicate ? "dup_edge_conn" : "server_error", "registerConnection"].increment()
        case .configurationPushed(_, let failed):
            metrics.configPushes.increment()
            if failed {
                metrics.configPushErrors.increment()
                metrics.rpcFail["server_error", "updateLocalConfiguration"].increment()
            }
        case .addressesFound, .disconnected, .unregistering:
            break
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

    private func perform(_ actions: [ServiceNotice.StateMachine.Action]) {
        for action in actions {
            switch action {
            case .ready(let status): notifier.ready(status: status)
            case .status(let status): notifier.status(status)
            case .reloading: notifier.reloading()
            case .stopping: notifier.stopping(within: Duration(configuration.gracePeriod) + Self.timeToEnd)
            case .watchdog: notifier.watchdog()
            case .extendTimeout: notifier.extendTimeout(by: Self.timeToStart)
            }
        }
    }

    // MARK: Reload

    private func watchFile() async {
        guard let watcher = source?.watcher else { return }
        do {
            try await watcher.run { [logger] in
                logger.debug("Watching the configuration file", metadata: ["path": "\(watcher.path)"])
            } changed: {
                reload(because: .fileChanged)
            }
        } catch is CancellationError {
            // The owner asked for the end.
        } catch {
            logger.warning(
                "Changes of the configuration file are not noticed; send SIGHUP after them",
                metadata: ["error": "\(error)"])
        }
    }

    private func followReloads(_ manager: ConnectionManager) async {
        for await cause in reloads.stream {
            guard let source else { continue }
            perform(notice.reloadBegan())
            let refusal = await reload(from: source, because: cause)
            if refusal == nil { manager.configurationChanged() }
            perform(notice.reloadEnded(refusal: refusal))
        }
    }

    /// Returns why nothing changed, nil when the new configuration is in force.
    private func reload(from source: ConfigurationSource, because cause: ReloadCause) async -> String? {
        do {
            let reading = try await Self.read(source)
            current.replace(by: reading.served)
            reading.putInForce()
            hostMetrics.reloadSucceeded(at: Int(Date().timeIntervalSince1970))
            logger.info(
                "Configuration reloaded",
                metadata: ["cause": "\(cause.rawValue)", "rules": "\(reading.served.routes.rules.count)"])
            if !reading.needsRestart.isEmpty {
                logger.warning(
                    "Some changed settings count only after a restart",
                    metadata: ["settings": "\(reading.needsRestart.joined(separator: ", "))"])
            }
            return nil
        } catch {
            hostMetrics.reloadFailed()
            logger.error(
                "The changed configuration cannot be used, the old one stays in force",
                metadata: ["cause": "\(cause.rawValue)", "error": "\(error)"])
            return "\(error)"
        }
    }

    /// Away from the actor: a slow disk must not keep it.
    @concurrent
    private static func read(_ source: ConfigurationSource) async throws -> ConfigurationSource.Reading {
        try source.read()
    }
}

// MARK: - Watchdog

extension Supervisor {
    /// Asked for with each sign of life while the start lasts.
    private static let timeToStart: Duration = .seconds(60)
    /// From the end of the last stream to the end of the process.
    private static let timeToEnd: Duration = .seconds(10)
    /// When `/livez` says no.
    private static let longestSilence: TimeAmount = .seconds(60)

    /// Asks this actor, the connections' actor and every event loop.
    private nonisolated func keepProbing(_ manager: ConnectionManager) async {
        await Watchdog(clock: clock, logger: logger).run {
            await probe(manager)
        } answered: { lag, isInTime in
            hostMetrics.watchdogLag.set(Int(lag / .milliseconds(1)))
            if isInTime { await probeAnswered() }
        }
    }

    private nonisolated func probe(_ manager: ConnectionManager) async {
        await answerProbe()
        await manager.answerProbe()
        for loop in group.makeIterator() { try? await loop.submit {}.get() }
    }

    private func answerProbe() {}

    private func probeAnswered() {
        readiness.lastProbe.withLock { $0 = .now() }
        perform(notice.probeAnswered())
    }
}
