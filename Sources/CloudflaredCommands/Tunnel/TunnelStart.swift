import Connector
import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceHost
import TunnelConfig

/// From a decided plan to a running connector.
enum TunnelStart {
    static func start(_ plan: TunnelRunPlan, _ context: CommandContext) async throws {
        logStart(of: plan, context)
        try await run(plan, context)
    }

    /// Runs the connector until a signal stops it or the edge refuses the tunnel for good.
    private static func run(_ plan: TunnelRunPlan, _ context: CommandContext) async throws {
        guard !plan.edges.isEmpty else {
            throw CommandError(
                .usage, "finding an edge by itself is not in this version; name yours with --edge host:port (TUNNEL_EDGE)")
        }
        let supervisor = Supervisor(
            configuration: plan.connectorConfiguration, metricsAddress: plan.metrics,
            group: MultiThreadedEventLoopGroup.singleton, logger: context.logger)
        let signals = await ProcessSignals()
        do {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    guard let signal = await signals.firstStop() else { return }
                    context.logger.info("Initiating graceful shutdown due to signal \(signal.name) ...")
                    supervisor.stop()
                }
                try await supervisor.run()
                tasks.cancelAll()
            }
        } catch let error as ConnectorError {
            throw CommandError(error.code == .badConfiguration ? .configuration : .failure, error.description)
        }
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
        logger.info("Initial protocol http2")
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

extension TunnelRunPlan {
    /// The same for the connector room.
    var connectorConfiguration: ConnectorConfiguration {
        var configuration = ConnectorConfiguration(
            credentials: credentials, routes: routing, edges: edges, version: Version.current)
        configuration.edgeCAFile = authorityFile
        configuration.postQuantumOnly = isPostQuantumRequired
        configuration.haConnections = haConnections
        configuration.gracePeriod = TimeAmount(gracePeriod)
        configuration.rpcTimeout = TimeAmount(rpcTimeout)
        configuration.connectorID = connectorID
        configuration.features = features
        configuration.tags = tags.map { ($0.name, $0.value) }
        configuration.pidFile = pidFile?.path
        if hasLocalRules {
            configuration.localConfiguration = ByteBuffer(
                bytes: LocalConfiguration.json(rules: routing.rules, flags: settings))
        }
        return configuration
    }
}
