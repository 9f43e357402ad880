import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation
import TunnelConfig

/// `access policy explain --user U --host H …`: the rule that decides, by the code that decides.
package struct AccessPolicyExplainCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say what would become of a visit, and which rule decides.")

    @Option(help: ArgumentHelp("Verified address of who has logged in; nobody without.", valueName: "EMAIL"))
    package var user: String?

    @Option(help: ArgumentHelp("Where to.", valueName: "HOST"))
    package var host: String

    @Option(help: ArgumentHelp("Path and query.", valueName: "PATH"))
    package var path: String = "/"

    @Option(help: ArgumentHelp("Where from.", valueName: "ADDRESS"))
    package var ip: String = "127.0.0.1"

    @Option(help: ArgumentHelp("Two letters.", valueName: "CC"))
    package var country: String?

    @Option(name: .customLong("group"), parsing: .singleValue, help: "A group that the provider names.")
    package var groups: [String] = []

    @Option(
        name: .customLong("claim"), parsing: .singleValue,
        help: ArgumentHelp("A claim of the provider.", valueName: "NAME=VALUE"))
    package var claims: [String] = []

    @Option(help: ArgumentHelp("The provider they logged in at; the first without.", valueName: "ID"))
    package var idp: String?

    @Option(name: .customLong("auth-method"), parsing: .singleValue, help: "How they logged in there, such as mfa.")
    package var authMethods: [String] = []

    @Option(help: ArgumentHelp("A service token that is shown, with the right secret.", valueName: "CLIENT_ID"))
    package var serviceToken: String?

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func validate() throws {
        guard IPAddress(ip) != nil else { throw ValidationError("--ip takes an address") }
        guard path.hasPrefix("/") else { throw ValidationError("--path begins with /") }
        guard claims.allSatisfy({ $0.contains("=") }) else { throw ValidationError("--claim takes NAME=VALUE") }
        guard user != nil || (groups.isEmpty && claims.isEmpty && authMethods.isEmpty && idp == nil) else {
            throw ValidationError("--group, --claim, --auth-method and --idp say more of a --user")
        }
    }

    package func perform(_ administration: Administration) async throws -> Report {
        guard let address = IPAddress(ip) else { throw StoreError(.invalid, "\(ip) is not an address") }
        let snapshot = try await administration.store.access()
        let (configuration, token) = try withKnownSecret(snapshot.configuration)
        let explanation = configuration.explain(
            RequestFacts(authority: host, target: path, address: address, country: country?.uppercased()),
            identity: identity(snapshot, administration.now), serviceToken: token, now: administration.now)
        let steps = explanation.steps.map(\.description)
        let text =
            ["\(explanation.decision.sentence)"] + (explanation.domain.map { ["It comes under \($0)."] } ?? [])
            + steps.map { "  " + $0 }
        return try Report(
            text.joined(separator: "\n"),
            json: Item(
                id: explanation.decision.application?.id ?? "", decision: explanation.decision.word,
                forwarded: explanation.decision.isForward, domain: explanation.domain?.description, steps: steps))
    }

    private func identity(_ snapshot: AccessSnapshot, _ now: Date) -> Identity? {
        user.map { user in
            var all: [String: [String]] = groups.isEmpty ? [:] : ["groups": groups]
            for claim in claims {
                let parts = claim.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                all[parts[0], default: []].append(parts[1])
            }
            return Identity(
                subject: user, email: user, loginMethod: idp ?? snapshot.providers.first?.id ?? "",
                authMethods: authMethods, claims: all, sessionEnd: now.addingTimeInterval(60))
        }
    }

    /// Nobody knows a token's secret any more, so that it is shown with another here.
    private func withKnownSecret(
        _ configuration: AccessConfiguration
    ) throws -> (AccessConfiguration, PresentedServiceToken?) {
        guard let serviceToken else { return (configuration, nil) }
        let secret = ServiceTokenSecret.generate()
        let tokens = configuration.tokens.values.map { token in
            var token = token
            if token.id.rawValue == serviceToken { token.secretHash = secret.hash }
            return token
        }
        let changed = try AccessConfiguration(
            applications: configuration.applications, groups: Array(configuration.groups.values),
            lists: Array(configuration.lists.values), tokens: tokens, globalSession: configuration.globalSession)
        return (changed, PresentedServiceToken(clientID: serviceToken, clientSecret: secret))
    }

    private struct Item: Encodable {
        let id, decision: String
        let forwarded: Bool
        let domain: String?
        let steps: [String]
    }
}

extension AccessDecision {
    var word: String {
        switch self {
        case .unguarded: "closed"
        case .refused: "refused"
        case .bypass: "bypass"
        case .forward: "allow"
        case .loginNeeded: "login"
        case .serviceTokenNeeded: "service-token"
        case .denied: "deny"
        }
    }

    var sentence: String {
        switch self {
        case .unguarded: "Kept out: no application opens this host."
        case .refused(.notAHost): "Refused: that is not a host name."
        case .refused(.ambiguousPath(let ids)):
            "Refused: the path can be read as belonging to \(ids.joined(separator: " or "))."
        case .refused(.undecidablePath): "Refused: nobody can say what the path means."
        case .bypass(let application, let policy):
            "Let in without a look, by the policy \(policy) of \(application.name)."
        case .forward(let application, let policy, _): "Let in by the policy \(policy) of \(application.name)."
        case .loginNeeded(let application, _): "Sent to log in: \(application.name) lets some people in."
        case .serviceTokenNeeded(let application, _): "Kept out: \(application.name) wants a good service token."
        case .denied(let application, .policy(let policy)):
            "Kept out by the policy \(policy) of \(application.name)."
        case .denied(let application, .noPolicy): "Kept out: no policy of \(application.name) lets this visitor in."
        }
    }
}
