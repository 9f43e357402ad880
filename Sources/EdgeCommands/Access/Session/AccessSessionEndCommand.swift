package import ArgumentParser
import EdgeStore

/// `access session end ID | --user USER | --all`: what they have open ends within a second.
package struct AccessSessionEndCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "end", abstract: "End sessions, and whatever is open by them.")

    @Argument(help: ArgumentHelp("As `access session list` shows it.", valueName: "ID"))
    package var id: String?

    @Option(help: ArgumentHelp("All sessions of a user, by address or id.", valueName: "USER"))
    package var user: String?

    @Flag(help: "Everybody's.")
    package var all = false

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func validate() throws {
        guard [id != nil, user != nil, all].count(where: { $0 }) == 1 else {
            throw ValidationError("say which sessions: ID, --user USER or --all")
        }
    }

    package func perform(_ administration: Administration) async throws -> Report {
        let selection: SessionSelection = id.map { .id($0) } ?? user.map { .user($0) } ?? .all
        let count = try await administration.store.endSessions(selection, at: administration.now)
        let whose = id ?? user ?? "everybody"
        guard count > 0 || all else {
            throw StoreError(.notFound, "there is no session of \(whose); see `cloudflared-edge access session list`")
        }
        try await administration.record("\(count) sessions of \(whose) ended", as: .revoke)
        return try Report(
            "Ended \(count) session\(count == 1 ? "" : "s")", json: Ended(id: whose, ended: count))
    }

    private struct Ended: Encodable {
        let id: String
        let ended: Int
    }
}
