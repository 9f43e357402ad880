import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access idp list`: never their secrets.
package struct AccessProviderListCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the providers, in the order of the login page.")

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let providers = try await administration.store.access().providers
        let text = Report.table(
            ["ID", "NAME", "ISSUER", "CLIENT ID"], providers.map { [$0.id, $0.name, $0.issuer, $0.clientID] },
            empty: "There are no identity providers; add one with `cloudflared-edge access idp add ID …`.")
        return try Report(
            text, json: providers.map { Item(id: $0.id, name: $0.name, issuer: $0.issuer, clientId: $0.clientID) })
    }

    private struct Item: Encodable {
        let id, name, issuer, clientId: String
    }
}
