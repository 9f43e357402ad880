package import TunnelConfig

/// The identity providers, applications, groups and lists that an administrator declares in one file, `access.yml`. Text
/// in, values out.
///
/// The keys are the official JSON names, so that what the account API shows can be pasted (YAML reads JSON):
/// ```yaml
/// identity_providers:
///   - {id: corp, type: oidc, config: {issuer: "https://login.example.com", client_id: edge, client_secret_file: corp.secret}}
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
    package internal(set) var providers: [IdentityProvider] = []
    package internal(set) var globalSession: SessionDuration?

    /// Nothing declared.
    package init() {}

    /// Opens a file that holds a secret, by the path as it was written.
    package typealias SecretFiles = (String) throws(ConfigError) -> String

    /// Reads and checks a file; `path` is for messages. An error names file, line and key.
    ///
    /// - Parameter secrets: opens what `client_secret_file` names. Nil: such a key is refused.
    package static func parse(
        _ text: String, path: String, secrets: SecretFiles? = nil
    ) throws(ConfigError) -> AccessFile {
        var reader = AccessFileReader(path: path, secrets: secrets)
        return try reader.read(text)
    }

    /// Reads and checks what a store keeps. An error names the document.
    ///
    /// - Parameter isWhole: false: the documents may refer to others that are not among them.
    package init(_ documents: [AccessDocument], isWhole: Bool = true) throws(ConfigError) {
        var reader = AccessFileReader(path: "access")
        self = try reader.read(documents, isWhole: isWhole)
    }

    /// A document in the one form that the encoder gives it. Whether what it refers to is there is not looked at.
    package static func plain(_ document: AccessDocument) throws(ConfigError) -> AccessDocument {
        // Settings that say nothing are a document too.
        try AccessFile([document], isWhole: false).documents.first ?? AccessDocument(globalSession: nil)
    }

    /// What to decide by, with the service tokens that the store knows.
    package func configuration(tokens: [ServiceTokenRecord] = []) throws(ConfigError) -> AccessConfiguration {
        try AccessConfiguration(
            applications: applications, groups: groups, lists: lists, tokens: tokens, globalSession: globalSession)
    }

    /// The same with other providers.
    package func mapProviders(_ change: (IdentityProvider) throws -> IdentityProvider) rethrows -> AccessFile {
        var file = self
        file.providers = try providers.map(change)
        return file
    }

    /// What the configuration does not look at as well: the identity providers, and who names them.
    func check() throws(ConfigError) {
        _ = try configuration()
        var seen: Set<String> = []
        for provider in providers {
            guard seen.insert(provider.id).inserted else {
                throw ConfigError(
                    "\(quoted(provider.id)) is given twice", suggestion: "remove or rename one",
                    key: "identity_providers")
            }
        }
    }
}
