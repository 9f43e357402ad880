import ArgumentParser
import ControlAPI
import Foundation
import ServiceHost
import TunnelConfig

/// Address spaces for private routes. Source: cli-and-config.md section 4.5.
struct VirtualNetworkCommand: CommandContainer {
    static let configuration = CommandConfiguration(
        commandName: "vnet", abstract: "Manage virtual networks, the address spaces of private routes.",
        subcommands: [
            VirtualNetworkAddCommand.self, VirtualNetworkListCommand.self, VirtualNetworkDeleteCommand.self,
            VirtualNetworkUpdateCommand.self,
        ])
}

struct VirtualNetworkAddCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(commandName: "add", abstract: "Make a virtual network.")

    @Argument(help: "Its name.")
    var name: String

    @Argument(help: "What it is for.")
    var comment = ""

    @Flag(name: [.customLong("default"), .customShort("d")], help: "Use it where a route names none.")
    var isDefault = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let made = try await account.withClient(context) { client in
            try await client.addVirtualNetwork(name: name, comment: comment, isDefault: isDefault)
        }
        context.print(
            "Successfully added virtual network \(OutputText.safe(made.name)) with ID \(made.id.lowercased)"
                + (made.isDefault ? ", the default now" : ""))
    }
}

struct VirtualNetworkListCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the virtual networks of the account.")

    @Option(help: "Only the one with this ID.")
    var id: String?

    @Option(help: "Only the one of this name.")
    var name: String?

    @Flag(help: "Only the default one.")
    var isDefault = false

    @Flag(help: "Deleted ones instead of those in force.")
    var showDeleted = false

    @Option(name: [.long, .customShort("o")], help: "Print as default, json or yaml.")
    var output = OutputFormat.text

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        var filter = APIVirtualNetworkFilter()
        filter.id = try id.map { try CommandError.checkedID($0, "--id") }
        filter.name = name
        filter.isDefault = isDefault ? true : nil
        filter.isDeleted = showDeleted
        filter.perPage = account.filter().perPage
        let networks = try await account.withClient(context) { [filter] in try await $0.virtualNetworks(filter) }
        if output != .text { return context.print(try JSONOutput.text(networks)) }
        guard !networks.isEmpty else {
            return context.print("No virtual network matches; make one with 'cloudflared tunnel vnet add NAME'.")
        }
        let rows = networks.map { network in
            [
                network.id.lowercased, OutputText.safe(network.name), network.isDefault ? "true" : "false",
                OutputText.safe(network.comment), OutputText.time(network.createdAt),
                network.deletedAt.map { OutputText.time($0) } ?? "-",
            ]
        }
        let titles = ["ID", "NAME", "IS DEFAULT", "COMMENT", "CREATED", "DELETED"]
        for line in TextTable.lines([titles] + rows) { context.print(line) }
    }
}

struct VirtualNetworkDeleteCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete a virtual network.")

    @Argument(help: "Its name or ID.")
    var network: String

    @Flag(name: [.long, .customShort("f")], help: "Delete it with the routes in it.")
    var force = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let id = try await account.withClient(context) { client in
            let id = try await client.virtualNetworkID(of: network)
            try await client.deleteVirtualNetwork(id, force: force)
            return id
        }
        context.print("Successfully deleted virtual network \(id.lowercased)")
    }
}

struct VirtualNetworkUpdateCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(commandName: "update", abstract: "Change a virtual network.")

    @Argument(help: "Its name or ID.")
    var network: String

    @Option(name: [.long, .customShort("n")], help: "New name.")
    var name: String?

    @Option(name: [.long, .customShort("c")], help: "New comment.")
    var comment: String?

    @Flag(name: [.customLong("default"), .customShort("d")], help: "Use it where a route names none.")
    var isDefault = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        guard name != nil || comment != nil || isDefault else {
            throw CommandError(.usage, "nothing to change: give --name, --comment or --default")
        }
        let change = APIVirtualNetworkChange(name: name, comment: comment, isDefault: isDefault ? true : nil)
        let id = try await account.withClient(context) { client in
            let id = try await client.virtualNetworkID(of: network)
            try await client.changeVirtualNetwork(id, change)
            return id
        }
        context.print("Successfully updated virtual network \(id.lowercased)")
    }
}

extension ControlAPIClient {
    /// The virtual network behind a UUID or the name of exactly one live network.
    func virtualNetworkID(of reference: String) async throws -> UUID {
        if let id = UUID(uuidString: reference) { return id }
        var filter = APIVirtualNetworkFilter()
        filter.name = reference
        let found = try await virtualNetworks(filter).filter { $0.name == reference && $0.deletedAt == nil }
        guard let only = found.first, found.count == 1 else {
            throw CommandError(
                .failure,
                found.isEmpty
                    ? "\"\(reference)\" is neither the ID nor the name of a virtual network; see 'cloudflared tunnel vnet "
                        + "list'"
                    : "there are \(found.count) virtual networks named \"\(reference)\"; use the ID instead")
        }
        return only.id
    }
}
