import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation
import ServiceHost

/// `access idp add ID --issuer U --client-id I --client-secret-file F`.
package struct AccessProviderAddCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Let people log in at a provider. Replaces what was said before.")

    @Argument(help: ArgumentHelp("What policies name it by.", valueName: "ID"))
    package var id: String

    @Option(help: ArgumentHelp("What the login page calls it.", valueName: "N"))
    package var name: String?

    @Option(help: ArgumentHelp("Such as https://login.example.com.", valueName: "U"))
    package var issuer: String

    @Option(name: .customLong("client-id"), help: ArgumentHelp("As the provider knows this edge.", valueName: "I"))
    package var clientID: String

    @Option(help: ArgumentHelp("A file with the secret for it.", valueName: "F"))
    package var clientSecretFile: String

    @Option(name: .customLong("scope"), parsing: .singleValue, help: "Scopes to ask for beside openid.")
    package var scopes: [String] = []

    @Option(name: .customLong("claim"), parsing: .singleValue, help: "Claims that policies ask for, beside groups.")
    package var claims: [String] = []

    @Option(help: ArgumentHelp("The claim with the address.", valueName: "C"))
    package var emailClaimName = "email"

    @Flag(help: "Believe in addresses that the provider does not call verified.")
    package var assumeEmailVerified = false

    @Option(help: ArgumentHelp("PEM file with the authorities of its certificate.", valueName: "F"))
    package var caPool: String?

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let secret = try FileSecret(path: clientSecretFile).secret.exposed
        var provider = IdentityProvider(
            id: id, name: name, issuer: issuer, clientID: clientID,
            clientSecret: IdentityProvider.ClientSecret(secret), claims: claims, emailClaim: emailClaimName,
            assumesEmailVerified: assumeEmailVerified,
            authorityFile: caPool.map { URL(fileURLWithPath: $0).standardizedFileURL.path })
        if !scopes.isEmpty { provider.scopes = scopes }
        try await administration.edit("identity provider \(id) set") { [provider] _ in [.put(AccessDocument(provider))]
        }
        let account = administration.account
        return try Report(
            """
            People may log in at \(provider.name) (\(issuer)).
            Tell it that this edge may be returned to at https://\(account.teamHostname)/cdn-cgi/access/callback, with \
            the port unless that is 443.
            """, json: ["id": id])
    }
}
