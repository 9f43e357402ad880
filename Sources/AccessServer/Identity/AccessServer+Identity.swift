import Access
import AccessPolicy
import EdgeStore
import Foundation

/// What is answered at every host of the team (access-protocol section 3.10).
extension AccessServer {
    private struct Identity: Encodable {
        struct Provider: Encodable {
            let id: String
            let type: String
        }

        struct Place: Encodable { let country: String }

        let id: String
        let name: String?
        let email: String?
        let userUuid: String
        let accountId: String
        let idp: Provider
        let geo: Place
        let iat: Int
        let ip: String
        let authStatus: String
        let commonName: String
        let serviceTokenId: String
        let serviceTokenStatus: Bool
        let isWarp: Bool
        let isGateway: Bool
        let groups: [String]?
        let amr: [String]
        let custom: [String: [String]]
        let version: Int
    }

    /// Who the browser's cookie is of.
    func identity(_ call: Call) async -> AccessResponse {
        guard let person = await person(anywhere: call), let account = try? await store.account() else {
            return .json(Problem(status: 401, message: "not logged in"), status: 401)
        }
        let profile = person.session.profile
        return .json(
            Identity(
                id: profile.userID, name: profile.name, email: profile.email, userUuid: profile.userID,
                accountId: account.id, idp: .init(id: profile.provider, type: "oidc"), geo: .init(country: ""),
                iat: person.claims.issuedAt.wholeSeconds, ip: person.session.address, authStatus: "NONE",
                commonName: "", serviceTokenId: "", serviceTokenStatus: false, isWarp: false, isGateway: false,
                groups: profile.claims["groups"], amr: profile.authMethods, custom: profile.claims, version: 1))
    }

    /// Ends the session, for every application and program. A link on another site does not do it alone.
    func logout(_ call: Call) async -> AccessResponse {
        let ray = call.request.ray
        guard let person = await person(anywhere: call) else {
            var response = Pages.loggedOut().response(ray: ray)
            response.add([.removal(of: Cookies.authorization)])
            return response
        }
        let id = person.session.id
        if call.method == .get, call.isFromElsewhere {
            return Pages.logoutQuestion(token: formToken("logout", id)).response(ray: ray)
        }
        if call.method == .post {
            guard let form = call.form, isFormToken(form["csrf"], "logout", id) else {
                return Pages.badRequest("This form is out of date.").response(ray: ray)
            }
        }
        do {
            _ = try await store.endSessions(.id(id), at: now())
            try await policies.refreshNow()
        } catch {
            return failed(error, ray: ray)
        }
        note(.end, "ok", call) {
            $0.describe(person.session)
            $0.reason = "logout"
        }
        var response = Pages.loggedOut().response(ray: ray)
        response.add([.removal(of: Cookies.authorization)])
        return response
    }

    /// By the cookie of whichever host this is.
    private func person(anywhere call: Call) async -> Person? {
        if call.request.host == names().team { return await person(atTeam: call) }
        guard let text = call.cookies[Cookies.authorization].text,
            let audience = await claims(of: text, kind: .app)?.audience.first,
            application(audience: audience, host: call.request.host) != nil
        else { return nil }
        return await person(at: audience, call)
    }
}

/// An error as the official client prints it.
struct Problem: Encodable {
    let status: Int
    let message: String
}
