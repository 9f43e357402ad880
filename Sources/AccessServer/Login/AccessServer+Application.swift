package import Access
package import AccessPolicy
import EdgeStore
import Foundation
import Logging
import NIOHTTP1

/// A login on the way back to its application. Taken once.
struct PendingAdmission: Sendable {
    let audience: String
    let host: String
    let redirect: RedirectPath
    let decisionPath: String
    let session: AccessSession.ID
    /// SHA-256 of the `CF_AppSession` of the browser that the login was begun in.
    let appSession: String
    /// Comes back beside the nonce; not secret.
    let state: String
}

/// What hosts of applications answer.
extension AccessServer {
    package func metadata(for application: AccessApplication, _ request: AccessRequest) async -> AccessResponse {
        var response = AccessResponse.plain(status: 200)
        do {
            let pattern = self.application(audience: application.audience, host: request.host)?.1.host.text
            let token = try await metadataTokens.token(
                audience: application.audience, host: request.host, now: now()
            ) {
                var body = TokenBody(
                    type: TokenKind.match.rawValue, aud: .one(application.audience), iat: now().wholeSeconds)
                body.hostname = request.host
                body.appHostname = pattern ?? request.host
                body.authDomain = names().teamAuthority
                return try await sign(body)
            }
            response.headers.add(name: "cf-access-metadata", value: token)
            return response
        } catch {
            return failed(error, ray: request.ray)
        }
    }

    package func login(
        to application: AccessApplication, _ request: AccessRequest, lack: AccessDecision.ServiceTokenLack
    ) async -> AccessResponse {
        let redirect = RedirectPath(request.target) ?? .root
        return await login(
            to: application, Call(request), redirect: redirect, decisionPath: redirect.text, lack: lack)
    }

    /// - Parameter decisionPath: what the policies are asked about.
    func login(
        to application: AccessApplication, _ call: Call, redirect: RedirectPath, decisionPath: String,
        lack: AccessDecision.ServiceTokenLack
    ) async -> AccessResponse {
        let request = call.request
        let known = call.cookies.random(Cookies.appSession)
        let appSession = known ?? RandomText.hex(bytes: 16)
        do {
            let meta = try await loginToken(
                for: application, host: request.host, redirect: redirect, decisionPath: decisionPath,
                appSession: appSession, hasServiceToken: lack == .notAllowed)
            let query = Form.query([
                "kid": application.audience, "redirect_url": redirect.text, "meta": meta,
            ])
            var response = AccessResponse.redirect(
                to: "\(names().issuer)/cdn-cgi/access/login/\(names().authority(of: request.host))?\(query)")
            response.headers.add(name: "cf-access-domain", value: request.host)
            response.headers.add(name: "cf-access-aud", value: application.audience)
            response.add([
                SetCookie(
                    name: Cookies.appSession, value: appSession, expires: now().wholeSeconds + 86_400, sameSite: .none)
            ])
            return response
        } catch {
            return failed(error, ray: request.ray)
        }
    }

    /// The last step of a login: takes the nonce and gives the cookie (access-protocol section 3.6).
    func authorized(_ call: Call) async -> AccessResponse {
        let ray = call.request.ray
        guard let nonce = call.query?["nonce"], let state = call.query?["state"],
            let pending = admissions.take(nonce, now: now()), pending.state == state,
            pending.host == call.request.host,
            let own = call.cookies.random(Cookies.appSession), RandomText.sha256(own) == pending.appSession
        else {
            note(.login, "refused", call) { $0.reason = "the way back is used up, too late, or another browser's" }
            return Pages.loginExpired().response(ray: ray)
        }
        guard let session = policies.snapshot.sessions[pending.session], now() < session.endsAt else {
            return Pages.loginExpired().response(ray: ray)
        }
        let verdict = verdict(
            on: session.identity, audience: pending.audience, host: call.request.host, path: pending.decisionPath,
            call: call)
        switch verdict {
        case .open: return .redirect(to: pending.redirect.text)
        case .denied(let policy): return denied(session, policy, audience: pending.audience, call)
        case .gone: return Pages.notFound().response(ray: ray)
        case .admitted(let application, let policy, let admission):
            do {
                let token = try await applicationToken(for: application, session: session, admission: admission)
                note(.admit, "ok", call) {
                    $0.application = application.id
                    $0.policy = policy
                    $0.describe(session)
                }
                return .redirect(
                    to: pending.redirect.text,
                    cookies: [
                        SetCookie(
                            name: Cookies.authorization, value: token.text, expires: token.expires, sameSite: .lax)
                    ])
            } catch {
                return failed(error, ray: ray)
            }
        }
    }

    func denied(
        _ session: AccessSession, _ policy: Policy.ID?, audience: String, _ call: Call
    ) -> AccessResponse {
        note(.deny, "refused", call) {
            $0.application = applicationID(of: audience)
            $0.policy = policy
            $0.describe(session)
        }
        return Pages.denied(session).response(ray: call.request.ray)
    }
}
