import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access group remove ID`.
package struct AccessGroupRemoveCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a group that no policy names.")

    @Argument(help: ArgumentHelp("As `access group list` shows it.", valueName: "ID"))
    package var id: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        try await administration.edit("group \(id) removed") { _ in [.remove(.group, id: id)] }
        return try Report("Removed the group \(id)", json: ["id": id])
    }
}
