import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access app remove HOST`.
package struct AccessAppRemoveCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Close a hostname again.")

    @Argument(help: ArgumentHelp("As `access app list` shows it.", valueName: "HOST"))
    package var host: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        // An application from a file has any id.
        let hostname = (try? administration.account.applicationHostname(host))?.text ?? host
        let changes = try await administration.edit("application \(host) removed") { file in
            let known = file.applications.first { $0.id == host || $0.id == hostname }
            return [.remove(.application, id: known?.id ?? hostname)]
        }
        guard case .remove(_, let id)? = changes.first else { throw StoreError(.notFound, "nothing was removed") }
        return try Report("Removed the application of \(id)", json: ["id": id, "hostname": id])
    }
}
