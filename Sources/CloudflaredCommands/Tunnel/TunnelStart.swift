import AccessClient
import Connector
import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceHost
import TunnelConfig

/// From a decided plan to a running connector.
enum TunnelStart {
    /// Runs the connector until a signal asks it to stop, or until it cannot go on.
    ///
    /// - Parameter planAgain: decides anew, for the same tunnel and without asking anybody, what a changed configuration
    ///   file says.
    static func start<Command: CloudflaredCommand>(
        _ plan: TunnelRunPlan, of command: Command, _ context: CommandContext,
        planAgain: @escaping @Sendable (Command, CommandContext) throws -> TunnelRunPlan
    ) async throws {
        logStart(of: plan, context)
        let forwarders = LocalForwarders(logger: context.logger)
        let supervisor = Supervisor(
            configuration: configuration(of: plan), metricsAddress: plan.metrics,
            source: source(context, forwarders, planAgain), group: MultiThreadedEventLoopGroup.singleton,
            logger: context.logger)
        let first = try ForwarderPlans.configurations(of: context.configuration?.forwarders ?? [], context)
        SocketAssignment.warn(context.sockets, unusedBy: first, context.logger)
        forwarders.replace(by: try forwarders.select(first))
        let signals = await ProcessSignals()
        // Another signal, another reader: a reload is no stop.
        let hangUps = await ProcessSignals(watching: [.hangUp])
        try await withThrowingTaskGroup(of: Bool.self) { children in
            children.addTask {
                try await supervisor.run()
                return true
            }
            children.addTask {
                if let signal = await signals.firstStop() {
                    context.logger.info("Initiating graceful shutdown due to signal \(signal.name) ...")
                    supervisor.stop()
                }
                return false
            }
            children.addTask {
                // A local port that cannot be had is no reason to leave the tunnel.
                await forwarders.run()
                return false
            }
            children.addTask {
                for await _ in hangUps.events { supervisor.reload(because: .hangUp) }
                return false
            }
            while let hasEnded = try await children.next(), !hasEnded {}
            children.cancelAll()
        }
    }

    /// The configuration file once more, read as at the start.
    private static func source<Command: CloudflaredCommand>(
        _ context: CommandContext, _ forwarders: LocalForwarders,
        _ planAgain: @escaping @Sendable (Command, CommandContext) throws -> TunnelRunPlan
    ) -> ConfigurationSource? {
        guard let readAgain = context.readAgain else { return nil }
        return ConfigurationSource(watcher: context.configurationWatcher) {
            let reading = try readAgain()
            guard !reading.needsRestart.contains("tunnel") else {
                throw CommandError(.configuration, "the file names another tunnel now; restart to serve that one")
            }
            guard let command = reading.command as? Command else {
                throw CommandError(.failure, "the command line cannot be read again")
            }
            var context = context
            context.configuration = reading.configuration
            context.settings = reading.resolution.settings
            let served = configuration(of: try planAgain(command, context)).served
            let selection = try forwarders.select(
                ForwarderPlans.configurations(of: reading.configuration?.forwarders ?? [], context))
            reading.warn(context.logger)
            let level = command.loggingSetup.parsedLevel
            return ConfigurationSource.Reading(
                served: served, needsRestart: reading.needsRestart,
                putInForce: { [context] in
                    forwarders.replace(by: selection)
                    if let level { context.logLevel.set(level) }
                })
        }
    }

    /// The plan in the connector's own terms.
    static func configuration(of plan: TunnelRunPlan) -> ConnectorConfiguration {
        var configuration = ConnectorConfiguration(
            credentials: plan.credentials, routes: plan.routing, edges: plan.edges, version: Version.current)
        configuration.region = plan.region
        configuration.edgeFamily = plan.edgeFamily
        configuration.edgeBindAddress = plan.edgeBindAddress
        configuration.edgeProxy = plan.edgeProxy
        configuration.edgeCAFile = plan.authorityFile
        configuration.postQuantumOnly = plan.isPostQuantumRequired
        configuration.haConnections = plan.haConnections
        configuration.retries = plan.retries
        configuration.gracePeriod = TimeAmount(plan.gracePeriod)
        configuration.rpcTimeout = TimeAmount(plan.rpcTimeout)
        configuration.connectorID = plan.connectorID
        configuration.features = plan.features
        configuration.tags = plan.tags.map { ($0.name, $0.value) }
        configuration.pidFile = plan.pidFile?.path
        configuration.readyPolicy = plan.readyPolicy
        configuration.canary = plan.canary
        configuration.report = LocalConfiguration.report(
            rules: plan.routing.rules, defaults: plan.originDefaults, warpRouting: plan.warpRouting)
        if plan.hasLocalRules {
            configuration.localConfiguration = ByteBuffer(
                bytes: LocalConfiguration.json(rules: plan.routing.rules, flags: plan.settings))
        }
        return configuration
    }

    /// The official first lines, in their order. Source: cli-and-config.md section 1.7.2.
    static func logStart(of plan: TunnelRunPlan, _ context: CommandContext) {
        let logger = context.logger
        let build = BuildInfo.current
        logger.info("Starting tunnel", metadata: ["tunnelID": .string(plan.credentials.tunnelID.lowercased)])
        logger.info("Version \(build.version)")
        logger.info(
            "GOOS: linux, GOVersion: \(build.compiler), GoArch: \(build.architecture.dropFirst("linux_".count))")
        logger.info("Settings: \(map(context.settings))")
        logger.info("Environmental variables \(map(tunnelEnvironment(context.environment)))")
        logger.info("Generated Connector ID: \(plan.connectorID.lowercased)")
        logger.info("Initial protocol \(plan.transport.current.rawValue)")
        for name in plan.withoutEffect {
            logger.warning("\(name) has no effect in this version")
        }
    }

    /// The `TUNNEL_` variables. A value is shown only when a flag is known not to be secret.
    static func tunnelEnvironment(_ environment: [String: String]) -> [String: String] {
        let harmless = Set(
            (TunnelFlags.shared + TunnelFlags.run).filter { !$0.isSecret }.flatMap(\.environment))
        var result: [String: String] = [:]
        for (name, value) in environment where name.hasPrefix("TUNNEL_") {
            result[name] = harmless.contains(name) ? value : Secret.mask
        }
        return result
    }

    /// Go's form of a map.
    private static func map(_ values: [String: String]) -> String {
        "map[" + values.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: " ") + "]"
    }
}
