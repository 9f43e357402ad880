import AccessPolicy
package import ArgumentParser
import EdgeStore

/// `access policy list [APP]`.
package struct AccessPolicyListCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the policies of an application, or of all.")

    @Argument(help: ArgumentHelp("As `access app list` shows it.", valueName: "APP"))
    package var application: String?

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let file = try AccessFile(try await administration.store.accessDocuments().documents)
        let applications = try application.map { [try file.application($0)] } ?? file.applications
        let items = applications.flatMap { application in
            application.policies.map { policy in
                Item(
                    id: policy.id, application: application.id, decision: policy.action.rawValue,
                    precedence: policy.precedence, who: policy.criteria.description,
                    sessionDuration: policy.sessionDuration?.description)
            }
        }
        let text = Report.table(
            ["APPLICATION", "POLICY", "DECISION", "PRECEDENCE", "WHO"],
            items.map { [$0.application, $0.id, $0.decision, "\($0.precedence)", $0.who] },
            empty:
                "There are no policies; add one with `cloudflared-edge access policy add APP NAME --include SELECTOR`.")
        return try Report(text, json: items)
    }

    private struct Item: Encodable {
        let id, application, decision: String
        let precedence: Int
        let who: String
        let sessionDuration: String?
    }
}
