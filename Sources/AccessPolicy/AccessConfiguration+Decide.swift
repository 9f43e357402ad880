package import FoundationEssentials
package import TunnelConfig

extension AccessConfiguration {
    /// The application that guards a request, by all readings of its host and path.
    package func match(authority: String, target: String) -> ApplicationMatch? {
        CanonicalHost(authority: authority).map { index.match($0, target: target) }
    }

    /// Decides about a request: bypass and service-auth policies first, then the others by who has logged in (section 3.12).
    ///
    /// - Parameter identity: who has logged in, by a session that was found good; nil: nobody.
    package func decide(
        _ facts: RequestFacts, identity: Identity?, serviceToken: PresentedServiceToken?, now: Date
    ) -> AccessDecision {
        var steps: [Explanation.Step]?
        return run(facts, identity, verdict(on: serviceToken, now: now), now, &steps).decision
    }

    /// The same for whoever was let in before: a program by a service token whose secret it does not have to show again.
    package func decide(
        _ facts: RequestFacts, identity: Identity?, provenToken: ServiceTokenID?, now: Date
    ) -> AccessDecision {
        var steps: [Explanation.Step]?
        let record = provenToken.flatMap { tokens[$0] }
        let verdict: ServiceTokenVerdict =
            switch (provenToken, record) {
            case (nil, _): .missing
            case (_, let record?): record.isExpired(at: now) ? .expired : .valid(record)
            case (_, nil): .wrong
            }
        return run(facts, identity, verdict, now, &steps).decision
    }

    /// The same, with what every policy had to say. By the same code, so the two cannot differ.
    package func explain(
        _ facts: RequestFacts, identity: Identity?, serviceToken: PresentedServiceToken?, now: Date
    ) -> Explanation {
        var steps: [Explanation.Step]? = []
        let verdict = verdict(on: serviceToken, now: now)
        let (decision, domain) = run(facts, identity, verdict, now, &steps)
        var all = steps ?? []
        if let application = decision.application {
            let order = evaluationOrder[application.id, default: []]
            all += order.dropFirst(all.count).map { Explanation.Step(policy: $0, finding: .notReached) }
        }
        return Explanation(decision: decision, domain: domain, serviceToken: verdict, steps: all)
    }

    /// Where somebody who was let into a bastion may go on to. Each list is asked as a whole (see `DestinationAllowList`);
    /// none: nowhere.
    package func destinations(
        of application: AccessApplication, facts: RequestFacts, identity: Identity?, serviceToken: ServiceTokenRecord?
    ) -> [DestinationAllowList] {
        guard application.kind == .bastion else { return [] }
        var evaluation = CriteriaEvaluation(
            groups: groups, lists: lists, facts: facts, person: identity.map { .known($0) } ?? .outOfSight,
            token: serviceToken)
        return application.destinations.filter { grant in
            grant.criteria.map { evaluation.evaluate($0, doubt: false).truth == .yes } ?? true
        }.map(\.destinations)
    }

    private func verdict(on token: PresentedServiceToken?, now: Date) -> ServiceTokenVerdict {
        tokens.verdict(clientID: token?.clientID, clientSecret: token?.clientSecret.text, now: now)
    }

    private func run(
        _ facts: RequestFacts, _ identity: Identity?, _ verdict: ServiceTokenVerdict, _ now: Date,
        _ steps: inout [Explanation.Step]?
    ) -> (decision: AccessDecision, domain: ApplicationDomain?) {
        switch match(authority: facts.authority, target: facts.target) {
        case nil: return (.refused(.notAHost), nil)
        case .unguarded: return (.unguarded, nil)
        case .ambiguous(let applications): return (.refused(.ambiguousPath(applications)), nil)
        case .undecidable: return (.refused(.undecidablePath), nil)
        case .application(let application, let domain):
            var gate = ApplicationGate(
                configuration: self, application: application, facts: facts,
                identity: identity.flatMap { $0.sessionEnd > now ? $0 : nil }, verdict: verdict, now: now, steps: steps)
            let decision = gate.decide()
            steps = gate.steps
            return (decision, domain)
        }
    }
}
