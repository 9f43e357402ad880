package import ArgumentParser

/// `access …`: who may visit which hostname.
package struct AccessCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "access", abstract: "Say who may visit which hostname, and see who does.",
        subcommands: [
            AccessAppCommand.self, AccessPolicyCommand.self, AccessGroupCommand.self, AccessProviderCommand.self,
            AccessTokenCommand.self, AccessSessionCommand.self, AccessKeyCommand.self, AccessExportCommand.self,
        ])

    package init() {}
}

/// `access app …`.
package struct AccessAppCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "app", abstract: "Open hostnames; what is not opened is closed.",
        subcommands: [
            AccessAppAddCommand.self, AccessAppListCommand.self, AccessAppRemoveCommand.self,
            AccessAppRevokeCommand.self,
        ])

    package init() {}
}

/// `access token …`.
package struct AccessTokenCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make, import, list and remove service tokens.",
        subcommands: [
            AccessTokenCreateCommand.self, AccessTokenImportCommand.self, AccessTokenListCommand.self,
            AccessTokenRemoveCommand.self,
        ])

    package init() {}
}
