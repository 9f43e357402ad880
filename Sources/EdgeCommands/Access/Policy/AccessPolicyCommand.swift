package import ArgumentParser

/// `access policy …`.
package struct AccessPolicyCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Policies of applications, and why they decide as they do.",
        subcommands: [
            AccessPolicyAddCommand.self, AccessPolicyListCommand.self, AccessPolicyRemoveCommand.self,
            AccessPolicyExplainCommand.self,
        ])

    package init() {}
}
