package import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access policy add APP NAME --decision D --include SELECTOR…`.
package struct AccessPolicyAddCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a policy to an application, or replace the one of that name.")

    @Argument(help: ArgumentHelp("As `access app list` shows it.", valueName: "APP"))
    package var application: String

    @Argument(help: ArgumentHelp("Its name within the application.", valueName: "NAME"))
    package var name: String

    @Option(help: "allow, deny, bypass or non_identity (for service tokens and certificates).")
    package var decision: Policy.Action = .allow

    @Option(help: ArgumentHelp("Lower is asked first.", valueName: "N"))
    package var precedence: Int = 0

    @Option(help: ArgumentHelp("How long a login counts: 0s to 744h.", valueName: "T"))
    package var sessionDuration: String?

    @OptionGroup package var members: CriteriaOptions
    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func validate() throws {
        if precedence < 0 { throw ValidationError("--precedence must be 0 or more") }
    }

    package func perform(_ administration: Administration) async throws -> Report {
        let policy = Policy(
            id: name, action: decision, precedence: precedence, criteria: try await members.criteria(administration),
            sessionDuration: try sessionDuration.map { try SessionDuration.parse($0) })
        try await administration.edit("policy \(name) of \(application) set") { file in
            var application = try file.application(application)
            if let index = application.policies.firstIndex(where: { $0.id == name }) {
                application.policies[index] = policy
            } else {
                application.policies.append(policy)
            }
            return [.put(AccessDocument(application))]
        }
        return try Report(
            "\(application): \(decision.rawValue) \(policy.criteria)", json: ["id": name, "application": application])
    }
}

extension Policy.Action: ExpressibleByArgument {}

extension AccessFile {
    func application(_ id: String) throws -> AccessApplication {
        guard let application = applications.first(where: { $0.id == id || $0.name == id }) else {
            throw StoreError(
                .notFound, "there is no application \"\(id)\"; see `cloudflared-edge access app list`")
        }
        return application
    }
}
