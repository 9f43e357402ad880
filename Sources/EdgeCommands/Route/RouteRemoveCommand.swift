package import ArgumentParser
import EdgeStore
import Foundation
import TunnelConfig

/// `route remove HOST`.
package struct RouteRemoveCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Stop leading a hostname to its tunnel.")

    @Argument(help: ArgumentHelp("As `route list` shows it.", valueName: "HOST"))
    package var host: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let hostname = try administration.account.hostname(host)
        let tunnel = try await administration.store.routes().first { $0.hostname == hostname }?.tunnelID
        try await administration.store.removeRoute(hostname)
        return try Report(
            "Removed the route of \(hostname)", json: ["id": tunnel?.lowercased ?? "", "hostname": hostname])
    }
}
