package import ArgumentParser
import EdgeStore
import Foundation

/// `access key list`: never the keys themselves.
package struct AccessKeyListCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the keys, oldest first.")

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let keys = try await administration.store.signingKeys()
        let text = Report.table(
            ["ID", "FOR", "SIGNS FROM", "FORGOTTEN"],
            keys.map {
                [
                    $0.id, $0.purpose.rawValue, $0.signsFrom.formatted(.iso8601),
                    $0.retiresAt?.formatted(.iso8601) ?? "not yet",
                ]
            }, empty: "There are no keys yet; `cloudflared-edge run` makes them.")
        return try Report(
            text,
            json: keys.map {
                Item(
                    id: $0.id, purpose: $0.purpose.rawValue, createdAt: $0.createdAt, signsFrom: $0.signsFrom,
                    retiresAt: $0.retiresAt)
            })
    }

    private struct Item: Encodable {
        let id, purpose: String
        let createdAt, signsFrom: Date
        let retiresAt: Date?
    }
}
