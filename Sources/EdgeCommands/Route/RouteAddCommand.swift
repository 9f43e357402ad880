import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation
import TunnelConfig

/// `route add HOST TUNNEL`.
package struct RouteAddCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Lead a hostname of the zone to a tunnel. Who may visit it is for `access app add`.")

    @Argument(help: ArgumentHelp("The zone, a name inside it, or *.NAME.", valueName: "HOST"))
    package var host: String

    @Argument(help: ArgumentHelp("Name or id.", valueName: "TUNNEL"))
    package var tunnel: String

    @Flag(help: "Take the hostname from another tunnel.")
    package var overwrite = false

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let hostname = try administration.account.hostname(host)
        let tunnel = try await administration.tunnel(tunnel)
        let change = try await administration.store.setRoute(
            hostname, to: tunnel.id, overwrite: overwrite, at: administration.now)
        let access = try await administration.store.access().configuration.word(forHostname: hostname)
        var text = "\(hostname) leads to tunnel \(tunnel.name) (\(change.rawValue))"
        if access == "closed" {
            text += """

                It is closed to visitors until you open it:
                  cloudflared-edge access app add '\(hostname)' --service-token CLIENT_ID --data-dir \
                \(administration.givenPath)
                  (CLIENT_ID comes from `cloudflared-edge access token create`; --open in its place lets everyone in)
                """
        }
        return try Report(
            text,
            json: Added(
                id: tunnel.id.lowercased, hostname: hostname, change: change.rawValue,
                access: access))
    }

    private struct Added: Encodable {
        let id, hostname, change, access: String
    }
}
