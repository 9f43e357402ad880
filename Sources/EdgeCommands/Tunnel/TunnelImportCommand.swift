package import ArgumentParser
import EdgeStore
import Foundation
import ServiceHost
import TunnelConfig

/// `tunnel import --credentials-file F`: takes over a tunnel that exists elsewhere; its connectors keep their file.
package struct TunnelImportCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take over a tunnel that exists elsewhere, by its credentials file.")

    @Option(help: ArgumentHelp("The <UUID>.json of the tunnel.", valueName: "F"))
    package var credentialsFile: String

    @Option(help: ArgumentHelp("What to call it here.", valueName: "NAME"))
    package var name: String?

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        // Files of the official client are named for their tunnel; old ones do not hold the id.
        let stem = URL(fileURLWithPath: credentialsFile).deletingPathExtension().lastPathComponent
        let credentials = try TunnelCredentials.parse(
            json: try read(), path: credentialsFile, reference: UUID(uuidString: stem))
        let name = name ?? "imported-\(credentials.tunnelID.lowercased.prefix(8))"
        try await administration.store.createTunnel(
            TunnelRecord(
                id: credentials.tunnelID, name: name, accountTag: credentials.accountTag,
                secret: credentials.tunnelSecret, createdAt: administration.now))
        return try Report(
            "Imported tunnel \(name) with id \(credentials.tunnelID.lowercased)",
            json: Imported(id: credentials.tunnelID.lowercased, name: name))
    }

    private func read() throws -> String {
        do {
            return try SmallFile.read(credentialsFile, limit: Secret.maximumFileSize).text
        } catch {
            throw ConfigError("\(error)", suggestion: "give the tunnel's credentials file", key: "--credentials-file")
        }
    }

    private struct Imported: Encodable {
        let id, name: String
    }
}
