import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access group list`.
package struct AccessGroupListCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(commandName: "list", abstract: "List the groups.")

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let groups = try await administration.store.access().configuration.groups.values.sorted { $0.id < $1.id }
        let text = Report.table(
            ["ID", "NAME", "WHO"], groups.map { [$0.id, $0.name, $0.criteria.description] },
            empty: "There are no groups; make one with `cloudflared-edge access group add ID --include SELECTOR`.")
        return try Report(text, json: groups.map { Item(id: $0.id, name: $0.name, who: $0.criteria.description) })
    }

    private struct Item: Encodable {
        let id, name, who: String
    }
}
