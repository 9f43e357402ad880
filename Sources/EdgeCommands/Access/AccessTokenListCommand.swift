import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation

/// `access token list`: never the secrets, which nobody has.
package struct AccessTokenListCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(commandName: "list", abstract: "List the service tokens.")

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let tokens = try await administration.store.access().configuration.tokens.values
        let items = tokens.sorted { ($0.createdAt, $0.id.rawValue) < ($1.createdAt, $1.id.rawValue) }.map {
            Item(
                id: $0.id.rawValue, clientId: $0.id.rawValue, recordId: $0.recordID, name: $0.name,
                createdAt: $0.createdAt,
                expiresAt: $0.expiresAt)
        }
        let text = Report.table(
            ["CLIENT ID", "NAME", "CREATED", "EXPIRES", "TOKEN_ID IN POLICIES"],
            items.map {
                [
                    $0.clientId, $0.name, $0.createdAt.formatted(.iso8601),
                    $0.expiresAt?.formatted(.iso8601) ?? "never", $0.recordId,
                ]
            },
            empty: "There are no service tokens; make one with `cloudflared-edge access token create --name N`.")
        return try Report(text, json: items)
    }

    private struct Item: Encodable {
        let id, clientId, recordId, name: String
        let createdAt: Date
        let expiresAt: Date?
    }
}
