import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation

/// `access token create --name N`: shows the secret once, and keeps only its hash.
package struct AccessTokenCreateCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a service token. Its secret is shown once.")

    @Option(help: ArgumentHelp("For lists.", valueName: "N"))
    package var name: String

    @Option(help: ArgumentHelp("Days until it expires; never without.", valueName: "DAYS"))
    package var days: Int?

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func validate() throws {
        if let days, !(1...36_500).contains(days) { throw ValidationError("--days must be 1 to 36500") }
    }

    package func perform(_ administration: Administration) async throws -> Report {
        let id = ServiceTokenID.generate()
        let secret = ServiceTokenSecret.generate()
        let expiry = days.map { administration.now.addingTimeInterval(Double($0) * 86_400) }
        try await administration.store.addServiceToken(
            ServiceTokenRecord(
                id: id, recordID: UUID().uuidString.lowercased(), secretHash: secret.hash, name: name,
                createdAt: administration.now, expiresAt: expiry))
        try await administration.record("service token \(id.rawValue) made")
        let text = """
            Client ID: \(id.rawValue)
            Client secret: \(secret.text)
            The secret is not shown again. It opens nothing yet:
              cloudflared-edge access app add HOST --service-token \(id.rawValue) --data-dir \
            \(administration.givenPath)
            """
        return try Report(
            text,
            json: Created(
                id: id.rawValue, clientId: id.rawValue, clientSecret: secret.text, name: name, expiresAt: expiry),
            ifUnread: "service token \(id.rawValue) was made, but its secret could not be shown and is lost; "
                + "remove it "
                + "(`cloudflared-edge access token remove \(id.rawValue) --data-dir \(administration.givenPath)`) and "
                + "create another one")
    }

    private struct Created: Encodable {
        let id, clientId, clientSecret, name: String
        let expiresAt: Date?
    }
}
