import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access token remove CLIENT_ID`: its holders are shut out at once.
package struct AccessTokenRemoveCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a service token that no application names.")

    @Argument(help: ArgumentHelp("As `access token list` shows it.", valueName: "CLIENT_ID"))
    package var clientID: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        try await administration.store.removeServiceToken(ServiceTokenID(rawValue: clientID))
        try await administration.record("service token \(clientID) removed", as: .revoke)
        return try Report("Removed service token \(clientID)", json: ["id": clientID])
    }
}
