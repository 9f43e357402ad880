import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access policy remove APP NAME`.
package struct AccessPolicyRemoveCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a policy. Who was let in by it is let out at once.")

    @Argument(help: ArgumentHelp("As `access app list` shows it.", valueName: "APP"))
    package var application: String

    @Argument(help: ArgumentHelp("As `access policy list` shows it.", valueName: "NAME"))
    package var name: String

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        try await administration.edit("policy \(name) of \(application) removed") { file in
            var application = try file.application(application)
            guard let index = application.policies.firstIndex(where: { $0.id == name }) else {
                throw StoreError(
                    .notFound, "\(application.id) has no policy \"\(name)\"; see `cloudflared-edge access policy list`")
            }
            application.policies.remove(at: index)
            return [.put(AccessDocument(application))]
        }
        return try Report(
            "Removed the policy \(name) of \(application)", json: ["id": name, "application": application])
    }
}
