import ArgumentParser
import Foundation
import Logging
import ServiceHost
import TunnelConfig

struct RunCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the connector of a tunnel.",
        discussion:
            "The tunnel is that of --token or --token-file, else the argument, else `tunnel` of the configuration file."
    )

    @Argument(help: "Name or ID of the tunnel.")
    var tunnel: String?

    @OptionGroup(title: "Credentials") var credentials: TunnelCredentialsOptions
    @OptionGroup(title: "Origin") var origin: OriginOptions
    @OptionGroup(title: "Connector") var connector: ConnectorOptions
    @OptionGroup(title: "Account") var account: AccountOptions
    @OptionGroup(title: "Log") var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions
    @OptionGroup(visibility: .hidden) var classic: ClassicOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let found = try await findCredentials(context)
        try await TunnelStart.start(try plan(found, context), of: self, context) { command, context in
            try command.plan(found, context)
        }
    }

    func plan(_ context: CommandContext) async throws -> TunnelRunPlan {
        try plan(try await findCredentials(context), context)
    }

    private func findCredentials(_ context: CommandContext) async throws -> TunnelCredentials {
        if let hostname = classic.hostname, !hostname.isEmpty {
            context.logger.warning(
                "hostname \(hostname) has no effect on 'tunnel run'; lead it here with 'cloudflared tunnel route dns'")
        }
        let reference = tunnel ?? context.configuration?.tunnel
        if let byToken = try credentials.tokenCredentials(hasReference: reference != nil, context) {
            sayWhatGoverns(context)
            return byToken
        } else if let reference, !reference.isEmpty {
            return try await credentials.credentials(of: reference, account: account, context)
        } else {
            throw CommandError(
                .usage,
                "no tunnel to run: give --token-file, --token, the tunnel's name or ID, or `tunnel` in the "
                    + "configuration file"
            )
        }
    }

    /// - Parameter found: of the tunnel that is run.
    private func plan(_ found: TunnelCredentials, _ context: CommandContext) throws -> TunnelRunPlan {
        let routing = try origin.routingTable(context.configuration, hostname: nil, context)
        let hasLocalRules = origin.namesOrigin || !(context.configuration?.ingress ?? []).isEmpty
        if !hasLocalRules, credentials.token == nil, credentials.tokenFile == nil {
            context.logger.warning(
                "No ingress rules in file or flags: every request gets 503 until the edge sends rules"
            )
        }
        return try TunnelRunPlan(
            credentials: found, routing: routing, hasLocalRules: hasLocalRules, options: connector,
            authorityFile: account.cacert, context: context)
    }

    /// With a token people do not expect the file to count.
    private func sayWhatGoverns(_ context: CommandContext) {
        guard let file = context.configuration else { return }
        let rules = file.ingress.isEmpty ? "no ingress rules" : "its ingress rules, until the edge sends others"
        context.logger.info("The token names the tunnel; \(file.path) gives flags and \(rules)")
    }
}
