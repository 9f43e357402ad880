package import ArgumentParser

/// `route …`: which hostname leads to which tunnel.
package struct RouteCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "route", abstract: "Lead hostnames to tunnels.",
        subcommands: [RouteAddCommand.self, RouteListCommand.self, RouteRemoveCommand.self])

    package init() {}
}
