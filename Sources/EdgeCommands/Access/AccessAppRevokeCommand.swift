import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access app revoke APP`: whoever has it open asks anew.
package struct AccessAppRevokeCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Make every token of an application worthless that was issued until now.")

    @Argument(help: ArgumentHelp("As `access app list` shows it.", valueName: "APP"))
    package var application: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let file = try AccessFile(try await administration.store.accessDocuments().documents)
        let application = try file.application(application)
        try await administration.store.revokeTokens(ofAudience: application.audience, before: administration.now)
        try await administration.record("tokens of \(application.id) revoked", as: .revoke)
        return try Report("Revoked the tokens of \(application.id)", json: ["id": application.id])
    }
}
