package import ArgumentParser
import EdgeStore
import Foundation
import TunnelConfig

/// `tunnel token TUNNEL`: what a connector runs with.
package struct TunnelTokenCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print the run token of a tunnel. It is a secret.")

    @Argument(help: ArgumentHelp("Name or id.", valueName: "TUNNEL"))
    package var tunnel: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let tunnel = try await administration.tunnel(tunnel)
        let token = TunnelToken.encode(tunnel.credentials)
        return try Report(token, json: Token(id: tunnel.id.lowercased, token: token))
    }

    private struct Token: Encodable {
        let id, token: String
    }
}
