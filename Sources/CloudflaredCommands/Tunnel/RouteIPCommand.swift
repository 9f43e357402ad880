import ArgumentParser
import ControlAPI
import Foundation
import ServiceHost
import TunnelConfig

/// Private routes: which networks of a site a tunnel leads to. Source: cli-and-config.md section 4.4.
struct RouteIPCommand: CommandContainer {
    static let configuration = CommandConfiguration(
        commandName: "ip", abstract: "Say which private networks a tunnel leads to.",
        subcommands: [
            RouteIPAddCommand.self, RouteIPShowCommand.self, RouteIPDeleteCommand.self, RouteIPGetCommand.self,
        ])
}

/// Which address space a private route is in.
struct VirtualNetworkOption: ParsableArguments {
    @Option(help: ArgumentHelp("Virtual network of the route, by name or ID (-vn).", valueName: "vnet"))
    var vnet: String?

    func id(_ client: ControlAPIClient) async throws -> UUID? {
        guard let vnet else { return nil }
        return try await client.virtualNetworkID(of: vnet)
    }
}

struct RouteIPAddCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(commandName: "add", abstract: "Lead a private network to a tunnel.")

    @Argument(help: "The network, such as 10.0.0.0/8.")
    var network: String

    @Argument(help: "Name or ID of the tunnel.")
    var tunnel: String

    @Argument(help: "What the route is for.")
    var comment = ""

    @OptionGroup var virtualNetwork: VirtualNetworkOption
    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let network = "\(try IPPrefix(argument: network))"
        let route = try await account.withClient(context) { client in
            let tunnelID = try await client.tunnelID(of: tunnel, filter: account.filter())
            let virtualNetworkID = try await virtualNetwork.id(client)
            return try await client.addNetworkRoute(
                APINetworkRouteCreation(
                    network: network, tunnelID: tunnelID, comment: comment, virtualNetworkID: virtualNetworkID))
        }
        context.print(
            "Successfully added route for \(OutputText.safe(route.network)) over tunnel \(route.tunnelID.lowercased)")
    }
}

struct RouteIPShowCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "List the private routes of the account.")

    @Flag(help: "Deleted routes instead of those in force.")
    var filterIsDeleted = false

    @Option(help: "Only routes of the tunnel with this ID.")
    var filterTunnelID: String?

    @Option(help: "Only routes within this network (-nsub).")
    var filterNetworkIsSubsetOf: String?

    @Option(help: "Only routes that hold this network (-nsup).")
    var filterNetworkIsSupersetOf: String?

    @Option(help: "Only routes with this comment.")
    var filterCommentIs: String?

    @Option(help: "Only routes of the virtual network with this ID.")
    var filterVnetID: String?

    @Option(name: [.long, .customShort("o")], help: "Print as default, json or yaml.")
    var output = OutputFormat.text

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let filter = try makeFilter()
        let routes = try await account.withClient(context) { try await $0.networkRoutes(filter) }
        if output != .text { return context.print(try JSONOutput.text(routes)) }
        guard !routes.isEmpty else {
            return context.print("No route matches; make one with 'cloudflared tunnel route ip add NETWORK TUNNEL'.")
        }
        for line in Self.table(routes) { context.print(line) }
    }

    private func makeFilter() throws -> APINetworkRouteFilter {
        var filter = APINetworkRouteFilter()
        filter.isDeleted = filterIsDeleted
        filter.subsetOf = try filterNetworkIsSubsetOf.map { "\(try IPPrefix(argument: $0))" }
        filter.supersetOf = try filterNetworkIsSupersetOf.map { "\(try IPPrefix(argument: $0))" }
        filter.comment = filterCommentIs
        filter.tunnelID = try filterTunnelID.map { try CommandError.checkedID($0, "--filter-tunnel-id") }
        filter.virtualNetworkID = try filterVnetID.map { try CommandError.checkedID($0, "--filter-vnet-id") }
        filter.perPage = account.filter().perPage
        return filter
    }

    static func table(_ routes: [APINetworkRoute]) -> [String] {
        let rows = routes.map { route in
            [
                route.id.lowercased, OutputText.safe(route.network), route.virtualNetworkID?.lowercased ?? "default",
                OutputText.safe(route.comment), route.tunnelID.lowercased, OutputText.safe(route.tunnelName),
                OutputText.time(route.createdAt), route.deletedAt.map { OutputText.time($0) } ?? "-",
            ]
        }
        let titles = [
            "ID", "NETWORK", "VIRTUAL NET ID", "COMMENT", "TUNNEL ID", "TUNNEL NAME", "CREATED", "DELETED",
        ]
        return TextTable.lines([titles] + rows)
    }
}

struct RouteIPDeleteCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete a private route.")

    @Argument(help: "ID of the route, or its network.")
    var route: String

    @OptionGroup var virtualNetwork: VirtualNetworkOption
    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let network = UUID(uuidString: route) == nil ? try IPPrefix(argument: route) : nil
        let id = try await account.withClient(context) { client in
            let id = try await routeID(network, client)
            try await client.deleteNetworkRoute(id)
            return id
        }
        context.print("Successfully deleted route with ID \(id.lowercased)")
    }

    private func routeID(_ network: IPPrefix?, _ client: ControlAPIClient) async throws -> UUID {
        if let id = UUID(uuidString: route) { return id }
        var filter = APINetworkRouteFilter()
        // Both at once leave exactly this network.
        filter.subsetOf = network.map { "\($0)" }
        filter.supersetOf = filter.subsetOf
        filter.virtualNetworkID = try await virtualNetwork.id(client)
        let found = try await client.networkRoutes(filter).filter { $0.network == filter.subsetOf }
        guard let only = found.first, found.count == 1 else {
            throw CommandError(
                .failure,
                found.isEmpty
                    ? "there is no route for \(route); see 'cloudflared tunnel route ip show'"
                    : "there are \(found.count) routes for \(route); give the ID of one, or --vnet")
        }
        return only.id
    }
}

struct RouteIPGetCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Show the route that an address takes.")

    @Argument(help: "The address.")
    var address: String

    @OptionGroup var virtualNetwork: VirtualNetworkOption
    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        guard let target = IPAddress(address) else {
            throw CommandError(.usage, "\"\(address)\" is no address; give one such as 10.1.2.3")
        }
        let route = try await account.withClient(context) { client in
            let virtualNetworkID = try await virtualNetwork.id(client)
            return try await client.networkRoute(of: target, virtualNetwork: virtualNetworkID)
        }
        guard let route else { return context.print("No route matches the address \(target).") }
        for line in RouteIPShowCommand.table([route]) { context.print(line) }
    }
}

extension CommandError {
    /// The ID that a flag takes.
    static func checkedID(_ text: String, _ flag: String) throws(CommandError) -> UUID {
        guard let id = UUID(uuidString: text) else {
            throw CommandError(.usage, "\(flag) takes an ID, not \"\(text)\"")
        }
        return id
    }
}
