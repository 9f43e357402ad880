package import ArgumentParser

/// `tunnel …`: the tunnels this edge accepts.
package struct TunnelCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "tunnel", abstract: "Make, import, list and delete tunnels.",
        subcommands: [
            TunnelCreateCommand.self, TunnelImportCommand.self, TunnelListCommand.self, TunnelTokenCommand.self,
            TunnelDeleteCommand.self,
        ])

    package init() {}
}
