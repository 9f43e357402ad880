package import TunnelConfig

/// The applications, groups and lists that an administrator declares in one file, `access.yml`. Text in, values out.
///
/// The keys are the official JSON names, so that what the account API shows can be pasted (YAML reads JSON):
/// ```yaml
/// groups:
///   - {name: rdp-users, include: [{email: ann@example.com}, {oidc: {identity_provider_id: corp, claim_name: groups, claim_value: rdp}}]}
/// applications:
///   - name: desktops
///     type: bastion
///     domains: [rdp.example.com]
///     destinations: [{allow: ["10.0.0.0/8:3389"]}]
///     policies:
///       - {name: staff, decision: allow, session_duration: 12h, include: [{group: rdp-users}], require: [{geo: PT}]}
/// ```
/// A selector's value may stand directly where it is one text. Unknown keys are refused: a condition that is not
/// understood must not be left out.
package struct AccessFile: Hashable, Sendable {
    package internal(set) var applications: [AccessApplication] = []
    package internal(set) var groups: [RuleGroup] = []
    package internal(set) var lists: [IPList] = []
    package internal(set) var globalSession: SessionDuration?

    /// Reads and checks a file; `path` is for messages, nothing is opened. An error names file, line and key.
    package static func parse(_ text: String, path: String) throws(ConfigError) -> AccessFile {
        var reader = AccessFileReader(path: path)
        return try reader.read(text)
    }

    /// What to decide by, with the service tokens that the store knows.
    package func configuration(tokens: [ServiceTokenRecord] = []) throws(ConfigError) -> AccessConfiguration {
        try AccessConfiguration(
            applications: applications, groups: groups, lists: lists, tokens: tokens, globalSession: globalSession)
    }
}
