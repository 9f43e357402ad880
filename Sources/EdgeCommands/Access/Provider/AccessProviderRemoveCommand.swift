import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access idp remove ID`.
package struct AccessProviderRemoveCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a provider that no policy names. Sessions go on; see `access session end`.")

    @Argument(help: ArgumentHelp("As `access idp list` shows it.", valueName: "ID"))
    package var id: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        try await administration.edit("identity provider \(id) removed") { _ in [.remove(.identityProvider, id: id)] }
        return try Report("Removed the identity provider \(id)", json: ["id": id])
    }
}
