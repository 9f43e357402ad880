package import ArgumentParser

/// `access idp …`.
package struct AccessProviderCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "idp", abstract: "OpenID Connect providers that people log in at.",
        subcommands: [AccessProviderAddCommand.self, AccessProviderListCommand.self, AccessProviderRemoveCommand.self])

    package init() {}
}
