import TunnelConfig

/// Whether a condition holds for a visitor, as far as that can be said before a login.
enum Truth: Hashable, Sendable {
    case no
    /// Depends on who logs in.
    case afterLogin
    case yes
}

/// Holds policies and groups against one request (access-protocol section 3.12). Lives for one phase of one decision;
/// remembers what groups came to, so that the work is linear in the configuration.
///
/// A fact that nobody knows (the country without a database, a certificate that was not shown, the address of a person whose provider did not verify it)
/// counts against the visitor: it fits where that denies, and does not where that admits. `doubt` is the truth that such
/// a selector takes; it turns over under `exclude`.
struct CriteriaEvaluation {
    /// What it came to, and by which selectors, from the policy down through groups.
    struct Result: Hashable, Sendable {
        var truth: Truth
        var cause: Cause
        var selectors: [Selector]
    }

    /// Which of the lists decided.
    enum Cause: Hashable, Sendable {
        case included, notIncluded, notRequired, excluded, needsLogin
    }

    /// What stands for the person.
    enum Person: Hashable, Sendable {
        case known(Identity)
        /// Not logged in, and could.
        case mayLogIn
        /// Not looked at, as in the policies that come first.
        case outOfSight
    }

    private struct GroupKey: Hashable {
        var id: String
        var doubt: Bool
    }

    let groups: [String: RuleGroup]
    let lists: [String: IPList]
    let facts: RequestFacts
    let person: Person
    let token: ServiceTokenRecord?
    private var known: [GroupKey: Result] = [:]

    init(
        groups: [String: RuleGroup], lists: [String: IPList], facts: RequestFacts, person: Person,
        token: ServiceTokenRecord?
    ) {
        self.groups = groups
        self.lists = lists
        self.facts = facts
        self.person = person
        self.token = token
    }

    mutating func evaluate(_ criteria: Criteria, doubt: Bool) -> Result {
        var waiting: [Selector]?
        for selector in criteria.exclude {
            let (truth, because) = look(at: selector, doubt: !doubt)
            if truth == .yes { return Result(truth: .no, cause: .excluded, selectors: because) }
            if truth == .afterLogin { waiting = waiting ?? because }
        }
        for selector in criteria.require {
            let (truth, because) = look(at: selector, doubt: doubt)
            if truth == .no { return Result(truth: .no, cause: .notRequired, selectors: because) }
            if truth == .afterLogin { waiting = waiting ?? because }
        }
        var hope: [Selector]?
        for selector in criteria.include {
            let (truth, because) = look(at: selector, doubt: doubt)
            if truth == .yes {
                return waiting.map { Result(truth: .afterLogin, cause: .needsLogin, selectors: $0) }
                    ?? Result(truth: .yes, cause: .included, selectors: because)
            }
            if truth == .afterLogin { hope = hope ?? because }
        }
        return hope.map { Result(truth: .afterLogin, cause: .needsLogin, selectors: $0) }
            ?? Result(truth: .no, cause: .notIncluded, selectors: [])
    }

    private mutating func look(at selector: Selector, doubt: Bool) -> (Truth, [Selector]) {
        guard case .group(let id) = selector else {
            return (truth(of: selector, doubt: doubt), [selector])
        }
        let key = GroupKey(id: id, doubt: doubt)
        let result =
            known[key]
            ?? groups[id].map { evaluate($0.criteria, doubt: doubt) }
            // Refused when the configuration was made.
            ?? Result(truth: doubt ? .yes : .no, cause: .notIncluded, selectors: [])
        known[key] = result
        return (result.truth, [selector] + result.selectors)
    }

    private func truth(of selector: Selector, doubt: Bool) -> Truth {
        switch selector {
        case .everyone: .yes
        case .ip(let prefix): .init(prefix.unmapped.contains(facts.address))
        case .ipList(let id): .init(lists[id].map { $0.contains(facts.address) } ?? doubt)
        case .country(let code): .init(facts.country.map { $0 == code } ?? doubt)
        case .serviceToken(let id): .init(token.map { ExactText($0.recordID) == id } ?? false)
        case .anyValidServiceToken: .init(token != nil)
        // Whoever shows none may have one: nobody is asked for it.
        case .certificate: .init(facts.certificate != nil || doubt)
        case .commonName(let name):
            .init(facts.certificate.map { $0.commonName.map { ExactText($0) == name } ?? false } ?? doubt)
        case .email, .emailDomain, .loginMethod, .oidc, .authMethod, .group:
            switch person {
            case .known(let identity): Self.truth(of: selector, for: identity, doubt: doubt)
            case .mayLogIn: .afterLogin
            case .outOfSight: .init(doubt)
            }
        }
    }

    private static func truth(of selector: Selector, for identity: Identity, doubt: Bool) -> Truth {
        switch selector {
        case .email(let email): .init(identity.foldedEmail.map { $0 == email } ?? doubt)
        case .emailDomain(let domain): .init(identity.foldedDomain.map { $0 == domain } ?? doubt)
        case .loginMethod(let id): .init(ExactText(identity.loginMethod) == id)
        case .oidc(let provider, let claim, let value):
            .init(
                ExactText(identity.loginMethod) == provider && identity.claims[claim]?.contains(value) ?? false)
        case .authMethod(let method): .init(identity.authMethods.contains(method))
        default: .init(doubt)
        }
    }
}

extension Truth {
    init(_ isTrue: Bool) { self = isTrue ? .yes : .no }
}
