import FoundationEssentials

/// Asks the policies of one application about one request (access-protocol sections 3.3, 3.8 and 3.12). Lives for one
/// decision.
struct ApplicationGate {
    let configuration: AccessConfiguration
    let application: AccessApplication
    let facts: RequestFacts
    /// Of a session that has not ended.
    let identity: Identity?
    let verdict: ServiceTokenVerdict
    let now: Date
    /// What each policy asked so far had to say; nil: nobody wants to know.
    var steps: [Explanation.Step]?

    mutating func decide() -> AccessDecision {
        let policies = configuration.evaluationOrder[application.id, default: []]
        let first = policies.prefix { $0.action.comesFirst }
        return decideFirst(first) ?? decideByIdentity(policies[first.endIndex...])
    }

    /// Bypass and service auth, without a look at the person.
    private mutating func decideFirst(_ policies: ArraySlice<Policy>) -> AccessDecision? {
        var evaluation = evaluation(of: .outOfSight)
        for policy in policies {
            let result = evaluation.evaluate(policy.criteria, doubt: false)
            guard result.truth == .yes else {
                note(policy, result)
                continue
            }
            if policy.action == .bypass {
                note(policy, result)
                return .bypass(application, policy.id)
            }
            guard let admission = serviceAdmission(by: policy) else {
                steps?.append(.init(policy: policy, finding: .lacksServiceIdentity))
                continue
            }
            note(policy, result)
            return .forward(application, policy.id, admission)
        }
        return nil
    }

    /// Allow and deny. Without a login, only what holds for whoever logs in is decided.
    private mutating func decideByIdentity(_ policies: ArraySlice<Policy>) -> AccessDecision {
        var evaluation = evaluation(of: identity.map { .known($0) } ?? .mayLogIn)
        for policy in policies {
            let isDenial = policy.action == .deny
            let result = evaluation.evaluate(policy.criteria, doubt: isDenial)
            note(policy, result)
            switch (result.truth, isDenial, identity) {
            case (.yes, true, _): return .denied(application, .policy(policy.id))
            case (.yes, false, let identity?):
                return .forward(application, policy.id, admission(of: identity, by: policy))
            case (.yes, false, nil), (.afterLogin, false, _): return .loginNeeded(application, lack)
            // Who is denied is not known yet; whether anybody is admitted, the next policies say.
            case (.afterLogin, true, _), (.no, _, _): continue
            }
        }
        let isForPrograms = policies.isEmpty && application.policies.contains { $0.action == .nonIdentity }
        if identity == nil, isForPrograms { return .serviceTokenNeeded(application, lack) }
        return .denied(application, .noPolicy)
    }

    private func evaluation(of person: CriteriaEvaluation.Person) -> CriteriaEvaluation {
        var token: ServiceTokenRecord?
        if case .valid(let record) = verdict { token = record }
        return CriteriaEvaluation(
            groups: configuration.groups, lists: configuration.lists, facts: facts, person: person, token: token)
    }

    /// A program must show who it is, even where a policy asks for an address only: its assertion names it.
    private func serviceAdmission(by policy: Policy) -> AccessDecision.Admission? {
        let duration = SessionDuration.resolved(
            policy: policy.sessionDuration, application: application.sessionDuration)
        if case .valid(let token) = verdict {
            return .init(
                subject: .serviceToken(token.id), expires: duration.expiry(from: now, notAfter: token.expiresAt))
        }
        return facts.certificate.map {
            .init(subject: .certificate($0.commonName), expires: duration.expiry(from: now))
        }
    }

    private func admission(of identity: Identity, by policy: Policy) -> AccessDecision.Admission {
        let duration = SessionDuration.resolved(
            policy: policy.sessionDuration, application: application.sessionDuration)
        return .init(subject: .user(identity), expires: duration.expiry(from: now, notAfter: identity.sessionEnd))
    }

    /// Why the service token, or its absence, has not opened the application.
    private var lack: AccessDecision.ServiceTokenLack {
        switch verdict {
        case .missing: .missing
        case .wrong: .wrong
        case .expired: .expired
        case .valid: .notAllowed
        }
    }

    private mutating func note(_ policy: Policy, _ result: CriteriaEvaluation.Result) {
        steps?.append(.init(policy: policy, finding: .init(result)))
    }
}

extension Explanation.Finding {
    fileprivate init(_ result: CriteriaEvaluation.Result) {
        self =
            switch result.cause {
            case .included: .matched(result.selectors)
            case .notIncluded: .notIncluded
            case .notRequired: .notRequired(result.selectors)
            case .excluded: .excluded(result.selectors)
            case .needsLogin: .needsLogin(result.selectors)
            }
    }
}
