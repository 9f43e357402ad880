import Foundation
import Logging
import ServiceHost
import TunnelConfig

/// From a decided plan to a running connector.
enum TunnelStart {
    static func start(_ plan: TunnelRunPlan, _ context: CommandContext) async throws {
        logStart(of: plan, context)
        try await run(plan, context)
    }

    /// CONNECT HERE: the connector room takes the plan. Until then this says so and does nothing else.
    private static func run(_ plan: TunnelRunPlan, _ context: CommandContext) async throws {
        throw CommandError(.failure, "the connector is not connected to this command yet")
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
