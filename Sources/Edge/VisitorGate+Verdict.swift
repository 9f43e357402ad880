import Access
import AccessPolicy
import EdgeTransport
import FoundationEssentials
import NIOCore
import NIOHTTP1
import TunnelConfig

extension VisitorGate {
    /// A request and all that it is decided by, for one decision.
    private struct Case {
        let exchange: VisitorExchange
        let route: RoutingTable.Answer
        let snapshot: AccessSnapshot
        let facts: RequestFacts
        let credentials: VisitorCredentials
        let look: Look
        let now: Date

        var request: VisitorRequest { exchange.request }
        var host: String { exchange.request.host }
        var configuration: AccessConfiguration { snapshot.configuration }
    }

    /// Steps 2 to 4 of access-protocol section 3.3; the further ones for what an application guards.
    func verdict(_ exchange: VisitorExchange, _ look: Look) -> Verdict {
        let request = exchange.request
        let route = routes.look(up: request.host, near: exchange.eventLoop)
        if case .unknownHost = route { return .refuse(.init(.unknownHost(request.host), mayBeStale: true)) }
        let snapshot = policies.snapshot
        guard snapshot.isAvailable else { return .refuse(.init(.policyUnknown(), mayBeStale: true)) }
        guard let path = CanonicalPath(request.path) else { return .refuse(.init(.unreadablePath())) }
        let match = snapshot.configuration.match(authority: request.authority, target: request.path)
        var application: AccessApplication?
        if case .application(let found, _) = match { application = found }
        if let access, let application, request.asksForMetadata {
            return .ask(access, .metadata(application))
        }
        if path.mayBeBelow("/cdn-cgi/access") {
            guard let access else { return .refuse(.init(.unknownHost(request.host))) }
            return .ask(access, .own(application), mayBeStale: application == nil)
        }
        guard let application else {
            guard case .unguarded = match else { return .refuse(.init(.unreadablePath())) }
            return .refuse(.init(.closed(request.host), mayBeStale: true))
        }
        guard let address = IPAddress(exchange.connection.visitor) else {
            return .refuse(.init(.denied(request.host, user: nil), application))
        }
        do {
            let credentials = try VisitorCredentials(request, for: application)
            return byPolicy(
                Case(
                    exchange: exchange, route: route, snapshot: snapshot,
                    facts: RequestFacts(authority: request.authority, target: request.path, address: address),
                    credentials: credentials, look: look, now: Date()))
        } catch {
            return .refuse(.init(.refused(error), application))
        }
    }

    // MARK: Policies

    /// Step 5: what is decided without a look at who has logged in.
    private func byPolicy(_ asked: Case) -> Verdict {
        let token = asked.credentials.serviceToken
        let isBlocked = token.map { failures.isBlocked($0, from: asked.facts.address) } ?? false
        let decision = asked.configuration.decide(
            asked.facts, identity: nil, serviceToken: isBlocked ? nil : token, now: asked.now)
        if case .bypass(let application, let policy) = decision {
            return pass(
                Admittance(application: application, policy: policy, subject: .anyone, facts: asked.facts), asked)
        }
        guard !isBlocked else { return .refuse(.init(.tooManyFailures(), decision.application)) }
        switch decision {
        case .forward(let application, let policy, let admission):
            return byServiceToken(application, policy, admission, asked)
        case .loginNeeded(let application, let lack): return byLogin(application, lack, asked)
        case .serviceTokenNeeded(let application, let lack): return serviceTokenNeeded(application, lack, asked)
        case .denied(let application, let denial):
            return .refuse(.init(.denied(asked.host, user: nil), application, denial, mayBeStale: true))
        case .unguarded, .refused, .bypass:
            return .refuse(.init(.closed(asked.host), mayBeStale: true))
        }
    }

    /// Section 3.8: the assertion is the edge's to sign.
    private func byServiceToken(
        _ application: AccessApplication, _ policy: Policy.ID, _ admission: AccessDecision.Admission, _ asked: Case
    ) -> Verdict {
        var subject = Admittance.Subject.certificate
        if case .serviceToken(let id) = admission.subject, let record = asked.configuration.tokens[id] {
            subject = .serviceToken(record, nil)
        }
        var admittance = Admittance(application: application, policy: policy, subject: subject, facts: asked.facts)
        guard let access else { return pass(admittance, asked) }
        guard let assertion = access.knownAssertion(for: application, admission) else {
            guard !asked.look.isUnsigned else { return .refuse(.init(.unsigned(asked.host), application)) }
            return .sign(access, application, admission)
        }
        admittance.assertion = assertion
        if application.hasLogin {
            admittance.cookie = AccessCookie.authorization(assertion, expires: admission.expires)
        }
        return pass(admittance, asked)
    }

    /// Step 6: a token that was given before.
    private func byLogin(
        _ application: AccessApplication, _ lack: AccessDecision.ServiceTokenLack, _ asked: Case
    ) -> Verdict {
        guard let access else { return serviceTokenNeeded(application, lack, asked) }
        guard let token = asked.credentials.token else {
            return login(access, application, lack, asked, mayBeStale: lack != .missing)
        }
        switch access.tokens.finding(on: token) {
        case nil: return .verify(access, token: token)
        case .bad: return login(access, application, lack, asked, mayBeStale: lack != .missing)
        case .good(let claims):
            let (decision, subject) = decide(claims, application, asked)
            switch (decision, subject) {
            case (.forward(let application, let policy, _), let subject?):
                return pass(
                    Admittance(
                        application: application, policy: policy, subject: subject, facts: asked.facts,
                        assertion: token), asked)
            case (.denied(let application, let denial), let subject):
                let user: String? =
                    if case .user(_, let session) = subject { session.profile.email ?? session.profile.userID } else {
                        nil
                    }
                return .refuse(
                    .init(.denied(asked.host, user: user ?? "You"), application, denial, user: user, mayBeStale: true))
            // The session may have begun a moment ago.
            default: return login(access, application, lack, asked, mayBeStale: true)
            }
        }
    }

    private func decide(
        _ claims: TokenClaims, _ application: AccessApplication, _ asked: Case
    ) -> (AccessDecision?, Admittance.Subject?) {
        let (snapshot, audience, now) = (asked.snapshot, application.audience, asked.now)
        if let record = snapshot.serviceToken(of: claims, audience: audience, now: now) {
            let decision = asked.configuration.decide(
                asked.facts, identity: nil, provenToken: record.id, now: now)
            return (decision, .serviceToken(record, claims))
        }
        guard let session = snapshot.session(of: claims, audience: audience, now: now) else { return (nil, nil) }
        let decision = asked.configuration.decide(
            asked.facts, identity: session.identity, serviceToken: asked.credentials.serviceToken, now: now)
        return (decision, .user(claims, session))
    }

    // MARK: Who is not let in

    /// Step 7.
    private func login(
        _ access: AccessDesk, _ application: AccessApplication, _ lack: AccessDecision.ServiceTokenLack,
        _ asked: Case, mayBeStale: Bool
    ) -> Verdict {
        let wrong = lack == .wrong ? asked.credentials.serviceToken : nil
        guard asked.request.isScripted else {
            return .ask(access, .login(application, lack), mayBeStale: mayBeStale, wrongToken: wrong)
        }
        return .refuse(
            .init(.loginRequired(asked.host), application, mayBeStale: mayBeStale, wrongToken: wrong))
    }

    private func serviceTokenNeeded(
        _ application: AccessApplication, _ lack: AccessDecision.ServiceTokenLack, _ asked: Case
    ) -> Verdict {
        var page = lack == .missing ? EdgePage.tokenMissing(asked.host) : .tokenWrong(asked.host)
        if application.answersServiceAuthWith401 { page.status = 401 }
        return .refuse(
            .init(
                page, application, mayBeStale: lack != .missing,
                wrongToken: lack == .wrong ? asked.credentials.serviceToken : nil))
    }

    // MARK: Who is let in

    /// Steps 8 to 10.
    private func pass(_ admittance: Admittance, _ asked: Case) -> Verdict {
        let (application, request) = (admittance.application, asked.request)
        if admittance.isGuarded, request.isTokenCheck { return .tokenGood }
        // A page has no business with TCP, by whatever request it tries.
        if application.kind.isTCP || request.isWebSocket && !application.isOpen, hasForeignOrigin(application, request)
        {
            return .refuse(.init(.foreignOrigin(asked.host), application, user: admittance.name))
        }
        var admittance = admittance
        if application.kind == .bastion {
            switch destination(admittance, asked) {
            case .success(let destination): admittance.destination = destination
            case .failure(let refusal): return .refuse(refusal)
            }
        } else if ForwardedHeaders.namesDestination(request.headers) {
            // Not to be left out in silence: whoever names a destination must not end up somewhere else.
            return .refuse(.init(.notABastion(asked.host), application, user: admittance.name, mayBeStale: true))
        }
        switch asked.route {
        case .unknownHost: return .refuse(.init(.unknownHost(asked.host)))
        case .noConnector(let tunnel, let lost):
            let page = EdgePage.noConnector(asked.host, tunnel: tunnel)
            guard let lost, .now() < lost + limits.newLink else { return .refuse(.init(page)) }
            return .pass(admittance, [], none: page)
        case .links(let links): return .pass(admittance, links, none: .connectorsBusy(asked.host))
        }
    }

    /// Whether a page of another site asks (access-protocol section 3.13, 6).
    private func hasForeignOrigin(_ application: AccessApplication, _ request: VisitorRequest) -> Bool {
        guard let host = CanonicalHost(authority: request.authority) else { return true }
        return request.headers["origin"].contains { !application.admits(origin: $0, at: host) }
    }

    /// Where a bastion is asked to lead, if it may (section 3.13, 7). What a name leads to, the connector judges, which
    /// resolves it.
    private func destination(_ admittance: Admittance, _ asked: Case) -> Result<JumpDestination, Refusal> {
        let application = admittance.application
        func refusal(_ reason: String) -> Refusal {
            Refusal(.destinationRefused(asked.host, reason: reason), application, user: admittance.name)
        }
        guard let text = asked.request.headers.only(ForwardedHeaders.jumpDestination) else {
            return .failure(refusal("the request names no destination, or several"))
        }
        let destination: JumpDestination
        do {
            destination = try JumpDestination.parse(text)
        } catch {
            return .failure(refusal(error.problem))
        }
        guard admittance.leads(to: destination, by: asked.configuration) else {
            var refusal = refusal("\(destination) is not on its list")
            refusal.mayBeStale = true
            return .failure(refusal)
        }
        return .success(destination)
    }
}

extension VisitorRequest {
    /// Access-protocol section 3.4.
    fileprivate var asksForMetadata: Bool {
        headers["cf-access-metadata-request"].contains { $0.lowercased() == "true" }
    }

    /// A script of a page, which a login page would only confuse.
    fileprivate var isScripted: Bool {
        headers["x-requested-with"].contains { $0.lowercased() == "xmlhttprequest" }
    }

    /// Section 2.13.
    fileprivate var isTokenCheck: Bool {
        guard method == "GET" || method == "HEAD", let query = path.firstIndex(of: "?") else { return false }
        return path[path.index(after: query)...].split(separator: "&").contains("cloudflared_token_check=true")
    }
}
