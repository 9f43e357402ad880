import AccessClient
import ArgumentParser
import ControlAPI
import Foundation
import Logging
import ServiceHost
import TunnelConfig

/// Bare `tunnel`: one command from nothing to a served host name, with a named tunnel behind it.
///
/// The official client opens a public quick tunnel here whenever a URL is set. This one never does.
struct TunnelCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "tunnel", abstract: "Serve a private service through an edge; manage tunnels.",
        discussion: """
            cloudflared tunnel --hostname app.example.com --url http://localhost:8080
            cloudflared tunnel --hostname jump.example.com --bastion --bastion-allow rdpserver:3389
            """,
        subcommands: [
            RunCommand.self, CreateCommand.self, ListCommand.self, InfoCommand.self, DeleteCommand.self,
            TokenCommand.self, CleanupCommand.self, RouteCommand.self, VirtualNetworkCommand.self, ReadyCommand.self,
            IngressCommand.self,
        ])

    @OptionGroup(title: "Tunnel") var classic: ClassicOptions
    @OptionGroup(title: "Origin") var origin: OriginOptions
    @OptionGroup(title: "Connector") var connector: ConnectorOptions
    @OptionGroup(title: "Account") var account: AccountOptions
    @OptionGroup(title: "Log") var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions
    @Option(help: .hidden) var credentialsFile: String?

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        if forwardersAlone(context) != nil {
            return try await ForwarderService.start(self, context) { try $0.forwarders($1) }
        }
        let intent = try intent(context)
        // Everything that can be wrong here is found before anything is made at the account API.
        // The stand-in credentials go nowhere: only the flags are looked at.
        let standIn = TunnelCredentials(accountTag: "", tunnelSecret: TunnelSecret([]), tunnelID: UUID())
        _ = try plan(intent, credentials: standIn, context)
        let ensured = try await account.withClient(context) { client in
            try await ensure(intent, client, context)
        }
        try await TunnelStart.start(try plan(intent, credentials: ensured, context), of: self, context) {
            try $0.plan(intent, credentials: ensured, $1)
        }
    }

    /// The file's forwarders when neither it nor the command line asks for a tunnel: the service mode of
    /// cli-and-config.md section 2.9.
    private func forwardersAlone(_ context: CommandContext) -> [ForwarderEntry]? {
        guard let file = context.configuration, !file.forwarders.isEmpty, file.tunnel ?? "" == "", file.ingress.isEmpty,
            classic.hostname == nil, classic.name == nil, credentialsFile == nil, !origin.namesOrigin
        else { return nil }
        return file.forwarders
    }

    /// What a forwarder service serves, at its start and after each change of the file.
    private func forwarders(_ context: CommandContext) throws -> [ForwarderConfiguration] {
        guard let entries = forwardersAlone(context) else {
            throw CommandError(
                .configuration, "the file asks for more than forwarders now, or for none; restart for that")
        }
        return try ForwarderPlans.configurations(of: entries, context)
    }

    /// What the bare command is asked to make.
    struct Intent: Equatable {
        var hostname: String?
        var tunnelName: String
    }

    /// Decides what is asked for, without asking anybody.
    func intent(_ context: CommandContext) throws -> Intent {
        if let tunnel = context.configuration?.tunnel, !tunnel.isEmpty { throw refusal(context) }
        let hostname = try classic.hostname.flatMap { $0.isEmpty ? nil : try RouteDNSCommand.checked($0) }
        let name = classic.name.flatMap { $0.isEmpty ? nil : $0 }
        guard hostname != nil || name != nil else { throw refusal(context) }
        guard classic.lbPool == nil else {
            throw CommandError(.unavailableCommand, "load-balancer pools are not in this version; leave --lb-pool out")
        }
        if let hostname, let url = origin.url, url == hostname || url == classic.hostname {
            throw CommandError(
                .usage, "--url and --hostname are the same; --url names the private service behind \(hostname)")
        }
        guard origin.namesOrigin || !(context.configuration?.ingress ?? []).isEmpty else {
            throw CommandError(
                .usage,
                "nothing to serve at \(hostname ?? name ?? ""): give --url such as rdp://localhost:3389, or --bastion"
                    + " with --bastion-allow"
            )
        }
        return Intent(hostname: hostname, tunnelName: name ?? hostname ?? "")
    }

    /// Why a command without host name does not start.
    private func refusal(_ context: CommandContext) -> CommandError {
        if let tunnel = context.configuration?.tunnel, !tunnel.isEmpty {
            return CommandError(
                .usage, "the configuration file names the tunnel \(tunnel); run it with 'cloudflared tunnel run'")
        }
        if credentialsFile != nil {
            return CommandError(
                .usage, "credentials are given but no tunnel; run it with 'cloudflared tunnel run TUNNEL'")
        }
        if origin.namesOrigin {
            return CommandError(
                .usage,
                "no host name to serve: add --hostname app.example.com. A quick tunnel would put the service on "
                    + "a public address "
                    + "without any Access policy, so it is not opened")
        }
        return CommandError(
            .usage,
            "nothing to do: give --hostname and --url, or 'cloudflared tunnel run' for a tunnel that exists; see "
                + "'cloudflared tunnel --help'"
        )
    }

    private func ensure(
        _ intent: Intent, _ client: ControlAPIClient, _ context: CommandContext
    ) async throws -> TunnelCredentials {
        guard let hostname = intent.hostname else {
            let tunnel = try await client.ensureTunnel(name: intent.tunnelName)
            report(tunnel, context)
            return tunnel.credentials
        }
        let (tunnel, route) = try await client.ensureTunnelAndRoute(
            hostname: hostname, name: intent.tunnelName, overwrite: classic.overwriteDNS)
        report(tunnel, context)
        switch route {
        case .new: context.logger.info("Added CNAME \(hostname) which will route to this tunnel")
        case .updated: context.logger.info("\(hostname) updated to route to your tunnel")
        case .unchanged: context.logger.info("\(hostname) is already configured to route to your tunnel")
        }
        return tunnel.credentials
    }

    private func report(_ tunnel: EnsuredTunnel, _ context: CommandContext) {
        context.logger.info(
            tunnel.created ? "Created tunnel \(tunnel.name)" : "Tunnel already created, using \(tunnel.name)",
            metadata: ["tunnelID": .string(tunnel.credentials.tunnelID.lowercased)])
    }

    func plan(_ intent: Intent, credentials: TunnelCredentials, _ context: CommandContext) throws -> TunnelRunPlan {
        try TunnelRunPlan(
            credentials: credentials,
            routing: try origin.routingTable(context.configuration, hostname: intent.hostname, context),
            hasLocalRules: true, options: connector, authorityFile: account.cacert, context: context)
    }
}
