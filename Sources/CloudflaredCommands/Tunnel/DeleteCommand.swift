import ArgumentParser
import ControlAPI
import Foundation
import Logging
import ServiceHost
import TunnelConfig

struct DeleteCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete tunnels and their credentials files.")

    @Argument(help: "Names or IDs.")
    var tunnels: [String]

    @Option(help: ArgumentHelp("Credentials file to remove with the tunnel.", valueName: "file"), completion: .file())
    var credentialsFile: String?

    @Flag(help: "Delete a tunnel that has connections (-f).")
    var force = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        try await account.withClient(context) { client in
            // All names first: a wrong one must not leave half of the work done.
            var ids: [UUID] = []
            for tunnel in tunnels { ids.append(try await client.tunnelID(of: tunnel, filter: account.filter())) }
            for id in ids {
                guard try await client.tunnel(id).deletedAt == nil else {
                    throw CommandError(.failure, "the tunnel \(id.lowercased) is deleted already")
                }
                try await client.deleteTunnel(id, cascade: force)
                removeCredentials(of: id, context)
            }
        }
    }

    private func removeCredentials(of id: UUID, _ context: CommandContext) {
        let found =
            credentialsFile.map(context.path)
            ?? context.searchPaths.credentialsFile(
                tunnelID: id.lowercased, certificatePath: account.certificatePath(context))
        guard let found else { return }
        do {
            // A file given by hand may belong to another tunnel.
            guard try CredentialsFile.read(found, reference: id).tunnelID == id else { return }
            try FileManager.default.removeItem(atPath: found)
        } catch {
            context.logger.warning("The tunnel is deleted; its credentials file \(found) stays: \(error)")
        }
    }
}
