import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access app list`.
package struct AccessAppListCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the hostnames that are open, and to whom.")

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let configuration = try await administration.store.access().configuration
        let items = configuration.applications.map { application in
            Item(
                id: application.id,
                hostname: application.domains.map { $0.path.isEverything ? $0.host.text : "\($0)" }.joined(
                    separator: ", "), access: application.word,
                serviceTokens: application.serviceTokens(in: configuration))
        }.sorted { $0.id < $1.id }
        let text = Report.table(
            ["HOSTNAME", "ACCESS", "SERVICE TOKENS"],
            items.map { [$0.hostname, $0.access, $0.serviceTokens.joined(separator: ", ")] },
            empty: "Every hostname is closed; open one with `cloudflared-edge access app add HOST …`.")
        return try Report(text, json: items)
    }

    private struct Item: Encodable {
        let id, hostname, access: String
        let serviceTokens: [String]
    }
}
