import ArgumentParser
import ControlAPI
import Foundation
import ServiceHost
import TunnelConfig

struct CreateCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a tunnel and write its credentials file.")

    @Argument(help: "Name of the new tunnel.")
    var name: String

    @Option(name: [.long, .customShort("o")], help: "Print the tunnel: default, json or yaml.")
    var output = OutputFormat.text

    @Option(
        help: ArgumentHelp(
            "Where to write the credentials; otherwise TUNNEL-ID.json next to cert.pem.", valueName: "file"),
        completion: .file())
    var credentialsFile: String?

    @Option(help: "Base64 secret of at least 32 bytes; otherwise a random one.")
    var secret: String?

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        guard !name.isEmpty else { throw CommandError(.usage, "the tunnel needs a name that is not empty") }
        guard UUID(uuidString: name) == nil else {
            throw CommandError(.usage, "a tunnel cannot be named like an ID; choose another name")
        }
        let secret = try tunnelSecret()
        let certificate = try account.certificate(context)
        try await account.withClient(context) { client in
            var tunnel = try await client.createTunnel(name: name, secret: secret)
            let credentials = TunnelCredentials(
                accountTag: certificate.accountID, tunnelSecret: secret, tunnelID: tunnel.id,
                endpoint: certificate.endpoint)
            let path = try await writeCredentials(credentials, client, context)
            switch output {
            case .text:
                context.print(
                    "Tunnel credentials written to \(path). Keep this file secret. To revoke these credentials, "
                        + "delete the tunnel."
                )
                context.print("")
                context.print("Created tunnel \(OutputText.safe(tunnel.name)) with id \(tunnel.id.lowercased)")
            case .json, .yaml:
                if tunnel.token == nil { tunnel.token = TunnelToken.encode(credentials) }
                context.print(try JSONOutput.text(tunnel))
            }
        }
    }

    private func tunnelSecret() throws -> TunnelSecret {
        guard let secret else { return .generate() }
        guard let bytes = Data(base64Encoded: secret), bytes.count >= 32 else {
            throw CommandError(.usage, "--secret takes base64 of at least 32 bytes")
        }
        return TunnelSecret(Array(bytes))
    }

    /// A tunnel without its credentials is of no use: when the file cannot be written, the tunnel goes again.
    private func writeCredentials(
        _ credentials: TunnelCredentials, _ client: ControlAPIClient, _ context: CommandContext
    ) async throws -> String {
        let directory = account.certificatePath(context).map { ($0 as NSString).deletingLastPathComponent } ?? "."
        let path = credentialsFile.map(context.path) ?? "\(directory)/\(credentials.tunnelID.lowercased).json"
        do {
            try CredentialsFile.write(credentials, to: path)
            return path
        } catch {
            do {
                try await client.deleteTunnel(credentials.tunnelID, cascade: true)
            } catch let second {
                throw CommandError(
                    .failure,
                    "\(error). The tunnel that was made could not be taken back (\(second)); delete it with "
                        + "'cloudflared tunnel delete \(credentials.tunnelID.lowercased)'")
            }
            throw CommandError(.failure, "\(error). The tunnel was taken back")
        }
    }
}
