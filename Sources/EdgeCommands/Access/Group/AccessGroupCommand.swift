package import ArgumentParser

/// `access group …`.
package struct AccessGroupCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "group", abstract: "Rule groups, which policies refer to by group:ID.",
        subcommands: [AccessGroupAddCommand.self, AccessGroupListCommand.self, AccessGroupRemoveCommand.self])

    package init() {}
}
