import ArgumentParser
import ControlAPI
import Foundation
import Logging
import ServiceHost
import TunnelConfig

struct ListCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the tunnels of the account.")

    @Option(name: [.long, .customShort("o")], help: "Print as default, json or yaml.")
    var output = OutputFormat.text

    @Flag(name: [.long, .customShort("d")], help: "Deleted tunnels too.")
    var showDeleted = false

    @Option(name: [.long, .customShort("n")], help: "Only the tunnel of this name.")
    var name: String?

    @Option(help: "Only names that start so (-np).")
    var namePrefix: String?

    @Option(help: "No names that start so (-enp).")
    var excludeNamePrefix: String?

    @Option(name: [.long, .customShort("w")], help: "Only tunnels that existed at this RFC 3339 time.")
    var when: String?

    @Option(name: [.long, .customShort("i")], help: "Only the tunnel with this ID.")
    var id: String?

    @Flag(help: "Connections that are about to come back too (-rd).")
    var showRecentlyDisconnected = false

    @Option(help: "name, id, createdAt, deletedAt or numConnections.")
    var sortBy = "name"

    @Flag(help: "Sort the other way round.")
    var invertSort = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let filter = try makeFilter()
        let tunnels = sorted(try await account.withClient(context) { try await $0.tunnels(filter) }, context)
        if output != .text { return context.print(try JSONOutput.text(tunnels)) }
        guard !tunnels.isEmpty else {
            return context.print("No tunnel matches; make one with 'cloudflared tunnel create NAME'.")
        }
        context.print("For one tunnel in detail: 'cloudflared tunnel info NAME-OR-ID'")
        let rows = tunnels.map { tunnel in
            [
                tunnel.id.lowercased, OutputText.safe(tunnel.name), OutputText.time(tunnel.createdAt),
                Self.connections(tunnel.connections, withPending: showRecentlyDisconnected),
            ]
        }
        for line in TextTable.lines([["ID", "NAME", "CREATED", "CONNECTIONS"]] + rows) { context.print(line) }
    }

    func makeFilter() throws -> APITunnelFilter {
        var filter = account.filter()
        filter.isDeleted = showDeleted ? nil : false
        filter.name = name
        filter.namePrefix = namePrefix
        filter.excludedPrefix = excludeNamePrefix
        if let when {
            guard let date = try? Date(when, strategy: .iso8601) else {
                throw CommandError(.usage, "--when takes a time such as 2026-11-22T07:57:41Z, not \"\(when)\"")
            }
            filter.existedAt = date
        }
        if let id {
            guard let uuid = UUID(uuidString: id) else {
                throw CommandError(.usage, "--id takes a tunnel ID, not \"\(id)\"")
            }
            filter.id = uuid
        }
        return filter
    }

    private func sorted(_ tunnels: [APITunnel], _ context: CommandContext) -> [APITunnel] {
        let isBefore: (APITunnel, APITunnel) -> Bool
        switch sortBy {
        case "id": isBefore = { $0.id.lowercased < $1.id.lowercased }
        case "createdAt": isBefore = { ($0.createdAt ?? .distantPast) < ($1.createdAt ?? .distantPast) }
        case "deletedAt": isBefore = { ($0.deletedAt ?? .distantPast) < ($1.deletedAt ?? .distantPast) }
        case "numConnections": isBefore = { $0.connections.count < $1.connections.count }
        default:
            if sortBy != "name" { context.logger.error("unknown sort key \"\(sortBy)\", sorting by name") }
            isBefore = { $0.name < $1.name }
        }
        let result = tunnels.sorted(by: isBefore)
        return invertSort ? result.reversed() : result
    }

    /// `2xlhr01, 1xman02`.
    static func connections(_ connections: [APIConnection], withPending: Bool) -> String {
        var counts: [String: Int] = [:]
        for connection in connections where withPending || !connection.isPendingReconnect {
            counts[OutputText.safe(connection.location), default: 0] += 1
        }
        return counts.sorted { $0.key < $1.key }.map { "\($0.value)x\($0.key)" }.joined(separator: ", ")
    }
}
