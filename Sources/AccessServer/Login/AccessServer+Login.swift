import Access
import AccessPolicy
import EdgeStore
import Foundation
import Logging
import NIOHTTP1

/// What a login is for, as the signed `meta` says.
struct LoginPurpose: Sendable {
    let audience: String
    let host: String
    let redirect: RedirectPath
    let decisionPath: String
    /// SHA-256 of the browser's `CF_AppSession` there.
    let appSession: String
}

/// A login that is at the identity provider. Taken once.
struct PendingLogin: Sendable {
    let purpose: LoginPurpose
    let provider: IdentityProvider
    let secrets: ProviderClient.Secrets
    /// SHA-256 of the browser's `CF_Session`.
    let session: String
}

/// What the team domain answers to somebody who logs in (access-protocol section 3.6).
extension AccessServer {
    /// - Parameter applicationHost: from the path; may have a port.
    func loginPage(_ call: Call, applicationHost: String) async -> AccessResponse {
        let ray = call.request.ray
        guard let purpose = await purpose(of: call, applicationHost: applicationHost) else {
            return Pages.loginExpired().response(ray: ray)
        }
        if let person = await person(atTeam: call, allowsTransferred: true) {
            return await goBack(purpose, person.session, call, cookies: [])
        }
        guard call.method == .get else { return loginHead(purpose) }
        let providers = policies.snapshot.providers
        let chosen = call.query?["idp"]
        guard let provider = providers.first(where: { $0.id == chosen }) ?? (providers.count == 1 ? providers[0] : nil)
        else {
            guard !providers.isEmpty else { return Pages.noProvider().response(ray: ray) }
            return Pages.choice(purpose, providers, target: call.request.target).response(ray: ray)
        }
        return await begin(purpose, at: provider, call)
    }

    /// What older clients read off the login page without logging in (section 2.7).
    private func loginHead(_ purpose: LoginPurpose) -> AccessResponse {
        var response = AccessResponse.plain(status: 200)
        response.headers.add(name: "cf-access-domain", value: purpose.host)
        response.headers.add(name: "cf-access-aud", value: purpose.audience)
        return response
    }

    /// Believes only what is signed, and only for an application that there is at that host.
    private func purpose(of call: Call, applicationHost: String) async -> LoginPurpose? {
        guard let meta = call.query?["meta"], let body = await body(of: meta, kind: .meta),
            let audience = call.query?["kid"], body.aud.values == [audience],
            let host = self.applicationHost(applicationHost), body.hostname == host,
            let redirect = body.redirectURL.flatMap(RedirectPath.init), let appSession = body.appSession,
            application(audience: audience, host: host) != nil
        else { return nil }
        return LoginPurpose(
            audience: audience, host: host, redirect: redirect,
            decisionPath: body.decisionPath ?? redirect.text, appSession: appSession)
    }

    /// The host of an application as a path of the team domain names it: in our own spelling, or not at all.
    func applicationHost(_ authority: String) -> String? {
        guard let host = CanonicalHost(authority: authority)?.name,
            authority == host || authority == names().authority(of: host)
        else { return nil }
        return host
    }

    private func begin(_ purpose: LoginPurpose, at provider: IdentityProvider, _ call: Call) async -> AccessResponse {
        let browser = call.cookies.random(Cookies.session) ?? RandomText.hex(bytes: 16)
        let secrets = ProviderClient.Secrets()
        let pending = PendingLogin(
            purpose: purpose, provider: provider, secrets: secrets, session: RandomText.sha256(browser))
        let state = logins.add(pending, from: call.request.address, now: now())
        do {
            let url = try await providers.authorizationURL(
                provider, state: state, secrets: secrets, redirectURI: redirectURI)
            return .redirect(
                to: url,
                cookies: [
                    SetCookie(
                        name: Cookies.session, value: browser, expires: now().wholeSeconds + 4 * 3600, sameSite: .none)
                ])
        } catch {
            _ = logins.take(state, now: now())
            return failed(error, at: provider, for: purpose, call)
        }
    }

    private var redirectURI: String { "\(names().issuer)/cdn-cgi/access/callback" }

    /// The identity provider has sent the browser back.
    func callback(_ call: Call) async -> AccessResponse {
        let ray = call.request.ray
        guard let query = call.query, let state = query["state"], let pending = logins.take(state, now: now()),
            let browser = call.cookies.random(Cookies.session), RandomText.sha256(browser) == pending.session
        else {
            note(.login, "refused", call) { $0.reason = "state is used up, too late, or another browser's" }
            return Pages.loginExpired().response(ray: ray)
        }
        let provider = pending.provider
        guard let code = query["code"], query["error"] == nil else {
            return failed(
                ProviderFailure(.refused, "callback", "the provider did not log you in"), at: provider,
                for: pending.purpose, call)
        }
        // An administrator may have taken it away meanwhile.
        guard policies.snapshot.providers.contains(provider) else { return Pages.noProvider().response(ray: ray) }
        let identity: ProviderIdentity
        do {
            identity = try await providers.identity(
                provider, code: code, issuer: query["iss"], secrets: pending.secrets, redirectURI: redirectURI)
        } catch {
            return failed(error, at: provider, for: pending.purpose, call)
        }
        do {
            return try await open(identity, pending, call)
        } catch {
            return failed(error, ray: ray)
        }
    }

    /// Makes a session of somebody whom the application lets in, and of nobody else.
    private func open(
        _ identity: ProviderIdentity, _ pending: PendingLogin, _ call: Call
    ) async throws -> AccessResponse {
        let (provider, purpose, time) = (pending.provider, pending.purpose, now())
        let life = policies.snapshot.configuration.globalSession
        let id = RandomText.hex(bytes: 16)
        func session(of userID: String) -> AccessSession {
            AccessSession(
                id: id, createdAt: time, endsAt: time + Double(life.seconds), address: call.request.address,
                profile: AccessSession.Profile(
                    userID: userID, provider: provider.id, email: identity.email, name: identity.name,
                    authMethods: identity.authMethods, claims: identity.claims))
        }
        // Only who is let in gets an id of ours, so that strangers fill no table.
        let stranger = session(of: "")
        let verdict = verdict(
            on: stranger.identity, audience: purpose.audience, host: purpose.host, path: purpose.decisionPath,
            call: call)
        switch verdict {
        case .denied(let policy): return denied(stranger, policy, audience: purpose.audience, call)
        case .gone: return Pages.notFound().response(ray: call.request.ray)
        case .open, .admitted: break
        }
        let session = session(of: try await store.userID(provider: provider.id, subject: identity.subject))
        try await store.openSession(session)
        try await policies.refreshNow()
        // It may have been taken away while it was asked, and then whom it named is nobody.
        guard policies.snapshot.providers.contains(provider) else {
            _ = try await store.endSessions(.id(session.id), at: time)
            try await policies.refreshNow()
            return Pages.badRequest("This login is not known any more. Begin again.").response(ray: call.request.ray)
        }
        note(.login, "ok", call) {
            $0.application = applicationID(of: purpose.audience)
            $0.describe(session)
        }
        let token = try await teamToken(for: session, isTransferred: false)
        return await goBack(
            purpose, session, call,
            cookies: [
                SetCookie(name: Cookies.authorization, value: token.text, expires: token.expires, sameSite: .none)
            ])
    }

    /// Leads somebody who is logged in back to the application, if it lets them in.
    private func goBack(
        _ purpose: LoginPurpose, _ session: AccessSession, _ call: Call, cookies: [SetCookie]
    ) async -> AccessResponse {
        let verdict = verdict(
            on: session.identity, audience: purpose.audience, host: purpose.host, path: purpose.decisionPath,
            call: call)
        switch verdict {
        case .denied(let policy): return denied(session, policy, audience: purpose.audience, call)
        case .gone: return Pages.notFound().response(ray: call.request.ray)
        case .open, .admitted: break
        }
        // Here the cookie of the team domain itself is what opens.
        if purpose.host == names().team { return .redirect(to: purpose.redirect.text, cookies: cookies) }
        let state = RandomText.hex(bytes: 16)
        let admission = PendingAdmission(
            audience: purpose.audience, host: purpose.host, redirect: purpose.redirect,
            decisionPath: purpose.decisionPath, session: session.id, appSession: purpose.appSession, state: state)
        let nonce = admissions.add(admission, from: call.request.address, now: now())
        let query = Form.query(["nonce": nonce, "state": state])
        return .redirect(
            to: "https://\(names().authority(of: purpose.host))/cdn-cgi/access/authorized?\(query)", cookies: cookies)
    }

    // MARK: Failures

    private func failed(
        _ error: any Error, at provider: IdentityProvider, for purpose: LoginPurpose, _ call: Call
    ) -> AccessResponse {
        guard let failure = error as? ProviderFailure else { return failed(error, ray: call.request.ray) }
        logger.warning(
            "Access login failed",
            metadata: [
                "provider": "\(provider.id)", "hop": "\(failure.hop)", "reason": "\(failure.reason)",
                "ray": "\(call.request.ray)",
            ])
        note(.login, "failed", call) {
            $0.application = applicationID(of: purpose.audience)
            $0.reason = failure.description
        }
        return Pages.providerFailed(provider, failure).response(ray: call.request.ray)
    }

    func failed(_ error: any Error, ray: String) -> AccessResponse {
        logger.error("Access service failed", metadata: ["error": "\(error)", "ray": "\(ray)"])
        return Pages.failed().response(ray: ray)
    }
}
