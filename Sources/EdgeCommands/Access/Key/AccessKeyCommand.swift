package import ArgumentParser

/// `access key …`.
package struct AccessKeyCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Keys that sign tokens and SSH certificates.",
        subcommands: [AccessKeyListCommand.self, AccessKeyRotateCommand.self, AccessKeyRemoveCommand.self])

    package init() {}
}
