package import ArgumentParser
import EdgeStore

/// `access key remove ID`: what it signed is worthless at once.
package struct AccessKeyRemoveCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Forget a key, and with it every token that it signed.")

    @Argument(help: ArgumentHelp("As `access key list` shows it.", valueName: "ID"))
    package var id: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        try await administration.store.removeSigningKey(id: id)
        try await administration.record("signing key \(id) removed", as: .revoke)
        return try Report("Removed the key \(id)", json: ["id": id])
    }
}
