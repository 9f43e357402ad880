import ArgumentParser
import ControlAPI
import ServiceHost

/// Tokens for a running connector's management service. Source: cli-and-config.md sections 4.2 and 7.1.
struct ManagementCommand: CommandContainer {
    static let configuration = CommandConfiguration(
        commandName: "management", abstract: "Get tokens for the management of connectors.", shouldDisplay: false,
        subcommands: [ManagementTokenCommand.self])
}

struct ManagementTokenCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print a token for one resource of a tunnel's connectors.")

    @Argument(help: "Name or ID of the tunnel.")
    var tunnel: String

    @Option(help: "logs, admin or host_details.")
    var resource: APIManagementResource

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        try await Self.print(resource, of: tunnel, account, context)
    }

    static func print(
        _ resource: APIManagementResource, of tunnel: String, _ account: AccountOptions, _ context: CommandContext
    ) async throws {
        let token = try await account.withClient(context) { client in
            try await client.managementToken(
                for: resource, ofTunnel: try await client.tunnelID(of: tunnel, filter: account.filter()))
        }
        context.print(try JSONOutput.line(["token": token]))
    }
}

/// `tail token`: the same for logs.
struct TailTokenCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print a token for the logs of a tunnel's connectors.")

    @Argument(help: "Name or ID of the tunnel.")
    var tunnel: String

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        try await ManagementTokenCommand.print(.logs, of: tunnel, account, context)
    }
}

extension APIManagementResource: ExpressibleByArgument {}
