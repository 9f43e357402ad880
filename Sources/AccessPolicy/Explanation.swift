/// How a decision came about: what `policy explain` shows.
package struct Explanation: Hashable, Sendable {
    /// What became of one policy.
    package enum Finding: Hashable, Sendable {
        /// It decided.
        case matched([Selector])
        /// None of `include`.
        case notIncluded
        /// One of `require` does not hold.
        case notRequired([Selector])
        /// One of `exclude` holds.
        case excluded([Selector])
        /// It depends on who logs in.
        case needsLogin([Selector])
        /// It matched, and there is neither a good service token nor a client certificate.
        case lacksServiceIdentity
        /// A policy before it had decided.
        case notReached
    }

    package struct Step: Hashable, Sendable, CustomStringConvertible {
        package var policy: Policy
        package var finding: Finding

        package var description: String { "\(policy.action.rawValue) \"\(policy.name)\": \(finding)" }
    }

    package var decision: AccessDecision
    /// The domain of the application that the request came under; nil without an application.
    package var domain: ApplicationDomain?
    package var serviceToken: ServiceTokenVerdict
    /// Every policy of the application, in the order they are asked.
    package var steps: [Step]
}

extension Explanation.Finding: CustomStringConvertible {
    /// The selectors lead from the policy through groups to the one that decided.
    package var description: String {
        func way(_ selectors: [Selector]) -> String {
            selectors.map(\.description).joined(separator: " → ")
        }
        return switch self {
        case .matched(let selectors): "decided, by \(way(selectors))"
        case .notIncluded: "does not match: nothing under include holds"
        case .notRequired(let selectors): "does not match: require \(way(selectors)) does not hold"
        case .excluded(let selectors): "does not match: exclude \(way(selectors)) holds"
        case .needsLogin(let selectors): "depends on who logs in, by \(way(selectors))"
        case .lacksServiceIdentity: "does not match: there is no valid service token or client certificate"
        case .notReached: "not asked: a policy before it decided"
        }
    }
}
