import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access group add ID --include SELECTOR…`.
package struct AccessGroupAddCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Make a group. Replaces what was said before.")

    @Argument(help: ArgumentHelp("What policies name it by.", valueName: "ID"))
    package var id: String

    @OptionGroup package var members: CriteriaOptions
    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let group = RuleGroup(id: id, criteria: try await members.criteria(administration))
        try await administration.edit("group \(id) set") { _ in [.put(AccessDocument(group))] }
        return try Report("The group \(id) is for \(group.criteria)", json: ["id": id])
    }
}
