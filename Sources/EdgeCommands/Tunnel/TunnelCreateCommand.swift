package import ArgumentParser
import ControlAPI
import EdgeStore
import Foundation
import TunnelConfig

/// `tunnel create NAME`.
package struct TunnelCreateCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(commandName: "create", abstract: "Make a tunnel.")

    @Argument(help: ArgumentHelp("A name that no other tunnel has.", valueName: "NAME"))
    package var name: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let tunnel = TunnelRecord(
            id: UUID(), name: name, accountTag: administration.account.id, secret: .generate(),
            createdAt: administration.now)
        try await administration.store.createTunnel(tunnel)
        let text = """
            Created tunnel \(name) with id \(tunnel.id.lowercased)
            Its run token: cloudflared-edge tunnel token \(name) --data-dir \(administration.givenPath)
            """
        return try Report(
            text,
            json: Created(
                id: tunnel.id.lowercased, name: name, token: TunnelToken.encode(tunnel.credentials)))
    }

    private struct Created: Encodable {
        let id, name, token: String
    }
}
