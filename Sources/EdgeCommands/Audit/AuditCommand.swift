package import ArgumentParser

/// `audit …`.
package struct AuditCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "The record of who was let in and what was changed.",
        subcommands: [AuditVerifyCommand.self])

    package init() {}
}
