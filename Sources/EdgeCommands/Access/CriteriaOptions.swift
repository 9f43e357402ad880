import AccessPolicy
package import ArgumentParser

/// `--include`, `--require` and `--exclude` of policies and groups.
package struct CriteriaOptions: ParsableArguments {
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Whom it is for: everyone, email:A, email_domain:D, group:ID, ip:BLOCK, geo:CC, oidc:PROVIDER:CLAIM=VALUE, "
                + "login_method:ID, service_token:ID, …; one of several must match.", valueName: "SELECTOR"))
    package var include: [String] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("What must match besides; all of them.", valueName: "SELECTOR"))
    package var require: [String] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("Whom it is not for.", valueName: "SELECTOR"))
    package var exclude: [String] = []

    package init() {}

    package func validate() throws {
        guard !include.isEmpty else { throw ValidationError("say whom it is for: --include SELECTOR") }
    }

    func criteria(_ administration: Administration) async throws -> Criteria {
        Criteria(
            include: try await administration.selectors(include), require: try await administration.selectors(require),
            exclude: try await administration.selectors(exclude))
    }
}
