package import ArgumentParser
import EdgeStore
import Foundation
import TunnelConfig

/// `tunnel list`.
package struct TunnelListCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the tunnels, with their live connections.")

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let tunnels = try await administration.liveTunnels()
        let connections = try await administration.store.connections(ofTunnels: tunnels.map(\.id))
        let counts = Dictionary(grouping: connections, by: \.tunnelID).mapValues(\.count)
        let items = tunnels.map {
            Item(id: $0.id.lowercased, name: $0.name, createdAt: $0.createdAt, connections: counts[$0.id] ?? 0)
        }
        let text = Report.table(
            ["ID", "NAME", "CREATED", "CONNECTIONS"],
            items.map { [$0.id, $0.name, $0.createdAt.formatted(.iso8601), String($0.connections)] },
            empty: "There are no tunnels; make one with `cloudflared-edge tunnel create NAME`.")
        return try Report(text, json: items)
    }

    private struct Item: Encodable {
        let id, name: String
        let createdAt: Date
        let connections: Int
    }
}
