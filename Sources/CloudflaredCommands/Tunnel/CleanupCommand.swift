import ArgumentParser
import ControlAPI
import Foundation
import Logging
import ServiceHost
import TunnelConfig

struct CleanupCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "cleanup", abstract: "Drop the edge's records of a tunnel's connections.")

    @Argument(help: "Names or IDs.")
    var tunnels: [String]

    @Option(help: ArgumentHelp("Only the connections of this connector (-c).", valueName: "id"))
    var connectorID: String?

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let connector = connectorID.map { UUID(uuidString: $0) }
        if let connector, connector == nil { throw CommandError(.usage, "--connector-id takes a connector's ID") }
        try await account.withClient(context) { client in
            for tunnel in tunnels {
                let id = try await client.tunnelID(of: tunnel, filter: account.filter())
                try await client.cleanUpConnections(ofTunnel: id, connector: connector ?? nil)
                context.logger.info("Cleaned up connections of tunnel \(id.lowercased)")
            }
        }
    }
}
