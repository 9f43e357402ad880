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
        let items = try await administration.store.policy().applications.map { application in
            var tokens: [String] = []
            if case .serviceToken(let ids) = application.mode { tokens = ids.map(\.rawValue).sorted() }
            let hostname = application.hostname.text
            return Item(id: hostname, hostname: hostname, access: application.mode.word, serviceTokens: tokens)
        }
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
