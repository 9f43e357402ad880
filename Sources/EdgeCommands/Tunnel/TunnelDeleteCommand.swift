package import ArgumentParser
import EdgeStore
import Foundation
import TunnelConfig

/// `tunnel delete ID`.
package struct TunnelDeleteCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a tunnel and its routes.")

    @Argument(help: ArgumentHelp("Name or id.", valueName: "ID"))
    package var tunnel: String

    @Flag(name: .shortAndLong, help: "Also when it has live connections; they are closed.")
    package var force = false

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let tunnel = try await administration.tunnel(tunnel)
        let lost = try await administration.store.routes().filter { $0.tunnelID == tunnel.id }.map(\.hostname)
        try await forgetWhatACrashLeft(of: tunnel, administration)
        try await administration.store.deleteTunnel(tunnel.id, cascade: force, at: administration.now)
        let routes = lost.isEmpty ? "" : " and its routes \(lost.joined(separator: ", "))"
        return try Report(
            "Deleted tunnel \(tunnel.name) (\(tunnel.id.lowercased))\(routes)",
            json: Deleted(id: tunnel.id.lowercased, name: tunnel.name, routes: lost))
    }

    /// An edge that was killed could not take its connections out of the database; while none runs, none are alive.
    private func forgetWhatACrashLeft(of tunnel: TunnelRecord, _ administration: Administration) async throws {
        guard try await !administration.store.connections(ofTunnels: [tunnel.id]).isEmpty,
            let lock = try? DataDirectoryLock(administration.directory)
        else { return }
        try await administration.store.forgetConnections(ofEdge: nil)
        withExtendedLifetime(lock) {}
    }

    private struct Deleted: Encodable {
        let id, name: String
        let routes: [String]
    }
}
