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
        let hostname = try administration.account.applicationHostname(host)
        try await administration.store.changeAccess([.remove(.application, id: hostname.text)], expecting: nil)
        return try Report(
            "Removed the application of \(hostname)", json: ["id": hostname.text, "hostname": hostname.text])
    }
}
