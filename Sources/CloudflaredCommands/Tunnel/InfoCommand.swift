import ArgumentParser
import ControlAPI
import Foundation
import Logging
import ServiceHost
import TunnelConfig

struct InfoCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Show a tunnel and the connectors that serve it.")

    @Argument(help: "Name or ID of the tunnel.")
    var tunnel: String

    @Option(name: [.long, .customShort("o")], help: "Print as default, json or yaml.")
    var output = OutputFormat.text

    @Flag(help: "Connections that are about to come back too (-rd).")
    var showRecentlyDisconnected = false

    @Option(help: "createdAt, id, numConnections or version.")
    var sortBy = "createdAt"

    @Flag(help: "Sort the other way round.")
    var invertSort = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    /// What `-o json` prints.
    struct Information: Encodable {
        var id: String
        var name: String
        var createdAt: String
        var conns: [APIConnector]
    }

    func run(in context: CommandContext) async throws {
        let (found, all) = try await account.withClient(context) { client in
            let id = try await client.tunnelID(of: tunnel, filter: account.filter())
            return (try await client.tunnel(id), try await client.connectors(ofTunnel: id))
        }
        let connectors = sorted(all, context)
        if output != .text {
            return context.print(
                try JSONOutput.text(
                    Information(
                        id: found.id.lowercased, name: found.name, createdAt: OutputText.time(found.createdAt),
                        conns: connectors)))
        }
        let head = [
            ["NAME:", OutputText.safe(found.name)], ["ID:", found.id.lowercased],
            ["CREATED:", OutputText.time(found.createdAt)],
        ]
        for line in TextTable.lines(head) { context.print(line) }
        context.print("")
        guard !connectors.isEmpty else { return context.print("No connector serves this tunnel now.") }
        let rows = connectors.map { connector in
            [
                connector.id.lowercased, OutputText.time(connector.runAt), OutputText.safe(connector.architecture),
                OutputText.safe(connector.version), OutputText.safe(connector.connections.first?.originIP ?? ""),
                ListCommand.connections(connector.connections, withPending: showRecentlyDisconnected),
            ]
        }
        let titles = ["CONNECTOR ID", "CREATED", "ARCHITECTURE", "VERSION", "ORIGIN IP", "EDGE"]
        for line in TextTable.lines([titles] + rows) { context.print(line) }
    }

    private func sorted(_ connectors: [APIConnector], _ context: CommandContext) -> [APIConnector] {
        let isBefore: (APIConnector, APIConnector) -> Bool
        switch sortBy {
        case "id": isBefore = { $0.id.lowercased < $1.id.lowercased }
        case "numConnections": isBefore = { $0.connections.count < $1.connections.count }
        case "version": isBefore = { $0.version < $1.version }
        default:
            // The official help names this key startedAt.
            if sortBy != "createdAt", sortBy != "startedAt" {
                context.logger.error("unknown sort key \"\(sortBy)\", sorting by createdAt")
            }
            isBefore = { ($0.runAt ?? .distantPast) < ($1.runAt ?? .distantPast) }
        }
        let result = connectors.sorted(by: isBefore)
        return invertSort ? result.reversed() : result
    }
}
