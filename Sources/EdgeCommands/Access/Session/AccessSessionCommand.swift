package import ArgumentParser

/// `access session …`.
package struct AccessSessionCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "session", abstract: "Who is logged in, and an end to it.",
        subcommands: [AccessSessionListCommand.self, AccessSessionEndCommand.self])

    package init() {}
}
