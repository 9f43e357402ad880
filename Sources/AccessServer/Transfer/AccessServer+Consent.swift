import Access
import AccessPolicy
import Crypto
import EdgeStore
import Foundation

/// What a client wants, as its link says (access-protocol section 2.9).
private struct Handover {
    let audience: String
    let key: SealedBox.PublicKey
    /// What the policies are asked about.
    let decisionPath: String
    let wantsTeamToken: Bool
    let closesPage: Bool

    /// - Parameter authority: of the application, with the port that the visitor uses.
    init?(_ call: Call, authority: String) {
        guard let query = call.query, let audience = query["aud"],
            let key = query["token"].flatMap({ SealedBox.PublicKey(text: $0) }),
            let path = Self.path(query["redirect_url"], on: authority)
        else { return nil }
        self.audience = audience
        self.key = key
        decisionPath = path
        wantsTeamToken = query["send_org_token"] == "true"
        closesPage = query["close_interstitial"] == "true"
    }

    var storeKey: TransferStore.Key { TransferStore.Key(.tokens, key) }

    /// Of the application's URL, which must be one of this host. Nobody is sent there.
    private static func path(_ url: String?, on authority: String) -> String? {
        guard let url, !url.isEmpty else { return "/" }
        let start = "https://\(authority)"
        guard url.hasPrefix(start) else { return nil }
        let rest = url.dropFirst(start.count).prefix { $0 != "?" && $0 != "#" }
        return rest.isEmpty ? "/" : RedirectPath(String(rest))?.text
    }
}

/// Hands tokens to a program, if its user wants that (access-protocol sections 3.7 and 3.13, 9).
extension AccessServer {
    private static let path = "/cdn-cgi/access/cli"

    /// Where clients send people: at the application. They are asked at the team domain, since what proves a person to an
    /// application, its origin has seen as well; it must not be enough to get the team's token by.
    func leadToConsent(_ call: Call) async -> AccessResponse {
        let request = call.request
        guard let handover = Handover(call, authority: request.authority),
            let (application, _) = application(audience: handover.audience, host: request.host)
        else { return Self.wrongLink(request.ray) }
        guard await person(at: handover.audience, call) != nil else {
            guard let here = RedirectPath(request.target) else { return Self.wrongLink(request.ray) }
            return await login(
                to: application, call, redirect: here, decisionPath: handover.decisionPath, lack: .missing)
        }
        let query = request.target.drop { $0 != "?" }
        return .redirect(to: "\(names().issuer)\(Self.path)/\(request.authority)\(query)")
    }

    /// - Parameter authority: of the application, from the path of the team domain.
    func consent(_ call: Call, authority: String) async -> AccessResponse {
        let ray = call.request.ray
        guard let host = applicationHost(authority), let handover = Handover(call, authority: authority),
            application(audience: handover.audience, host: host) != nil
        else { return Self.wrongLink(ray) }
        guard let person = await person(atTeam: call) else { return Pages.loginExpired().response(ray: ray) }
        let verdict = verdict(
            on: person.session.identity, audience: handover.audience, host: host, path: handover.decisionPath,
            call: call)
        switch verdict {
        case .denied(let policy): return denied(person.session, policy, audience: handover.audience, call)
        case .gone, .open: return Pages.badRequest("This application needs no login.").response(ray: ray)
        case .admitted(let application, _, let admission):
            if call.method == .get { return question(handover, application, host, person, call) }
            return await handOver(handover, application, person, admission, call)
        }
    }

    private static func wrongLink(_ ray: String) -> AccessResponse {
        Pages.badRequest("The link is incomplete, or for another application.").response(ray: ray)
    }

    private func question(
        _ handover: Handover, _ application: AccessApplication, _ host: String, _ person: Person, _ call: Call
    ) -> AccessResponse {
        let poller = transfers.poller(of: handover.storeKey)
        return Pages.consent(
            to: application.name, host: host, session: person.session, key: handover.key.text,
            poller: poller, browser: call.request.address, target: call.request.target,
            token: formToken(for: handover, person)
        ).response(ray: call.request.ray)
    }

    private func handOver(
        _ handover: Handover, _ application: AccessApplication, _ person: Person,
        _ admission: AccessDecision.Admission, _ call: Call
    ) async -> AccessResponse {
        let (ray, poller) = (call.request.ray, poller(of: handover))
        guard let form = call.form, isFormToken(form["csrf"], for: handover, person) else {
            note(.consent, "refused", call) {
                $0.application = application.id
                $0.describe(person.session)
                $0.reason = "the form is not one of this session"
            }
            return Pages.badRequest("This form is out of date. Open the link once more.").response(ray: ray)
        }
        guard form["decision"] == "allow" else {
            note(.consent, "refused", call) {
                $0.application = application.id
                $0.describe(person.session)
            }
            return Pages.refused().response(ray: ray)
        }
        do {
            let delivery = try await delivery(handover, application, person, admission)
            guard let delivery, transfers.deposit(delivery, for: handover.storeKey, at: poller)
            else {
                return Pages.nobodyWaits().response(ray: ray)
            }
        } catch {
            return failed(error, ray: ray)
        }
        note(.consent, "ok", call) {
            $0.application = application.id
            $0.describe(person.session)
        }
        return Pages.handedOver(closes: handover.closesPage).response(ray: ray)
    }

    private func delivery(
        _ handover: Handover, _ application: AccessApplication, _ person: Person,
        _ admission: AccessDecision.Admission
    ) async throws -> TransferStore.Delivery? {
        struct Tokens: Encodable {
            let appToken: String
            let orgToken: String
        }
        let token = try await applicationToken(for: application, session: person.session, admission: admission).text
        let message: [UInt8]
        if handover.wantsTeamToken {
            let team = try await teamToken(for: person.session, isTransferred: true).text
            message = Array(try JSONEncoder.snakeCase.encode(Tokens(appToken: token, orgToken: team)))
        } else {
            // Clients before November 2020.
            message = Array(token.utf8)
        }
        guard let own = SealedBox.KeyPair.generate(),
            let sealed = SealedBox.seal(message, to: handover.key, from: own)
        else { return nil }
        return TransferStore.Delivery(body: Data(sealed).base64EncodedString(), sender: own.publicKey)
    }

    private func formToken(for handover: Handover, _ person: Person) -> String {
        formToken("consent", person.session.id, handover.audience, handover.key.text, poller(of: handover))
    }

    private func isFormToken(_ text: String?, for handover: Handover, _ person: Person) -> Bool {
        isFormToken(text, "consent", person.session.id, handover.audience, handover.key.text, poller(of: handover))
    }

    /// Who agreed has seen this address: another one that asks meanwhile gets nothing by it.
    private func poller(of handover: Handover) -> String { transfers.poller(of: handover.storeKey) ?? "" }

    // MARK: Forms

    /// Bound to a session and to what the form is about, so that no other page can send it.
    func formToken(_ parts: String...) -> String { Base64URL.encode(Self.code(parts, formKey)) }

    func isFormToken(_ text: String?, _ parts: String...) -> Bool {
        guard let code = text.flatMap({ Base64URL.decode($0) }) else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(
            code, authenticating: Self.message(parts), using: formKey)
    }

    private static func code(_ parts: [String], _ key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: message(parts), using: key)
    }

    private static func message(_ parts: [String]) -> Data {
        Data(parts.map { "\($0.utf8.count):\($0)" }.joined().utf8)
    }
}
