import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation
import ServiceHost

/// `access token import --client-id I --client-secret S --name N`: takes over a token whose holders keep what they have.
package struct AccessTokenImportCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take over a service token that exists elsewhere.")

    @Option(help: ArgumentHelp("The client id.", valueName: "I"))
    package var clientID: String

    @Option(
        help: ArgumentHelp("The secret; other users of this machine may see it in the process list.", valueName: "S"))
    package var clientSecret: String?

    @Option(help: ArgumentHelp("A file with the secret.", valueName: "F"))
    package var clientSecretFile: String?

    @Option(help: ArgumentHelp("For lists.", valueName: "N"))
    package var name: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func validate() throws {
        guard (clientSecret == nil) != (clientSecretFile == nil) else {
            throw ValidationError("give the secret by --client-secret or by --client-secret-file")
        }
        guard isHeaderText(clientID), clientSecret.map(isHeaderText) ?? true else {
            throw ValidationError("client id and secret must be printable ASCII of 1 to 512 characters, without spaces")
        }
    }

    package func perform(_ administration: Administration) async throws -> Report {
        let secret = try clientSecretFile.map { try FileSecret(path: $0).secret.exposed } ?? clientSecret ?? ""
        guard isHeaderText(secret) else {
            throw StoreError(.invalid, "the client secret is not printable ASCII without spaces; check the file")
        }
        guard secret.utf8.count >= Self.shortest else {
            throw StoreError(
                .invalid,
                "the client secret has \(secret.utf8.count) characters; what nobody guesses has \(Self.shortest) or more, so "
                    + "make a new one by `access token create`")
        }
        let id = ServiceTokenID(rawValue: clientID)
        try await administration.store.addServiceToken(
            ServiceTokenRecord(
                id: id, recordID: UUID().uuidString.lowercased(), secretHash: ServiceTokenSecret(secret).hash,
                name: name, createdAt: administration.now))
        try await administration.record("service token \(clientID) imported")
        return try Report(
            "Imported service token \(clientID)",
            json: Imported(id: clientID, clientId: clientID, name: name))
    }

    /// 128 bits, if they are hexadecimal digits.
    private static let shortest = 32

    /// What fits into the header that carries it.
    private func isHeaderText(_ text: String) -> Bool {
        (1...512).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }

    private struct Imported: Encodable {
        let id, clientId, name: String
    }
}
