import ArgumentParser
import ControlAPI
import ServiceHost
import TunnelConfig

struct TokenCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print the token that runs a tunnel, or write it as a credentials file.")

    @Argument(help: "Name or ID of the tunnel.")
    var tunnel: String

    @Option(
        help: ArgumentHelp("Write the credentials here instead of printing the token.", valueName: "file"),
        completion: .file())
    var credentialsFile: String?

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let credentials = try await account.withClient(context) { client in
            try await client.credentials(
                ofTunnel: try await client.tunnelID(of: tunnel, filter: account.filter()))
        }
        if let credentialsFile {
            try CredentialsFile.write(credentials, to: context.path(credentialsFile))
        } else {
            context.print(TunnelToken.encode(credentials))
        }
    }
}
