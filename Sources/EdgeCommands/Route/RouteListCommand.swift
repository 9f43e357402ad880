import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation
import TunnelConfig

/// `route list`.
package struct RouteListCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the hostnames, their tunnels and who may visit.")

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let names = Dictionary(
            try await administration.liveTunnels().map { ($0.id, $0.name) }, uniquingKeysWith: { $1 })
        let policy = try await administration.store.access().configuration
        let items = try await administration.store.routes().map {
            Item(
                id: $0.tunnelID.lowercased, hostname: $0.hostname,
                tunnelId: $0.tunnelID.lowercased, tunnelName: names[$0.tunnelID] ?? "",
                access: policy.word(forHostname: $0.hostname))
        }
        let text = Report.table(
            ["HOSTNAME", "TUNNEL", "TUNNEL ID", "ACCESS"],
            items.map { [$0.hostname, $0.tunnelName, $0.tunnelId, $0.access] },
            empty: "There are no routes; add one with `cloudflared-edge route add HOST TUNNEL`.")
        return try Report(text, json: items)
    }

    private struct Item: Encodable {
        let id, hostname, tunnelId, tunnelName, access: String
    }
}
