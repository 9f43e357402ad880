import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation

/// `access session list`.
package struct AccessSessionListCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the live sessions, oldest first.")

    @Option(help: ArgumentHelp("Only those of one user, by address or id.", valueName: "USER"))
    package var user: String?

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let sessions = try await administration.store.access().sessions.values.filter { session in
            session.endsAt > administration.now && (user.map { SessionSelection.user($0).covers(session) } ?? true)
        }.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
        let text = Report.table(
            ["ID", "USER", "PROVIDER", "ADDRESS", "SINCE", "UNTIL"],
            sessions.map {
                [
                    $0.id, $0.profile.email ?? $0.profile.userID, $0.profile.provider, $0.address,
                    $0.createdAt.formatted(.iso8601), $0.endsAt.formatted(.iso8601),
                ]
            }, empty: "Nobody is logged in.")
        return try Report(text, json: sessions.map(Item.init))
    }

    private struct Item: Encodable {
        let id, userId: String
        let email: String?
        let provider, address: String
        let createdAt, expiresAt: Date

        init(_ session: AccessSession) {
            id = session.id
            userId = session.profile.userID
            email = session.profile.email
            provider = session.profile.provider
            address = session.address
            createdAt = session.createdAt
            expiresAt = session.endsAt
        }
    }
}
