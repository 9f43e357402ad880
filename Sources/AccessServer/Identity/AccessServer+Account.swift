import Access
import AccessPolicy
import EdgeStore
import Foundation

/// `cloudflared login`: hands the account's certificate to whom the application of this page lets in (access-protocol
/// section 4).
extension AccessServer {
    private static let path = "/argotunnel"

    func accountLogin(_ call: Call) async -> AccessResponse {
        let ray = call.request.ray
        // An application that covers the team's host among others was not made to hand out the account.
        guard accountCertificate != nil, case .application(let application, let domain)? = match(Self.path),
            domain.host.text == names().team, domain.path.text == Self.path
        else {
            return Pages.notFound().response(ray: ray)
        }
        guard let key = Self.key(call.query?["callback"]) else {
            return Pages.badRequest("The link is incomplete.").response(ray: ray)
        }
        guard let person = await person(atTeam: call) else {
            guard call.method == .get, let here = RedirectPath(call.request.target) else {
                return Pages.loginExpired().response(ray: ray)
            }
            return await login(to: application, call, redirect: here, decisionPath: Self.path, lack: .missing)
        }
        let verdict = verdict(
            on: person.session.identity, audience: application.audience, host: call.request.host, path: Self.path,
            call: call)
        guard case .admitted = verdict else { return denied(person.session, nil, audience: application.audience, call) }
        let storeKey = TransferStore.Key(.certificate, key)
        if call.method == .get {
            return Pages.accountConsent(
                zone: (try? await store.account().zone) ?? "", session: person.session, key: key.text,
                poller: transfers.poller(of: storeKey), browser: call.request.address, target: call.request.target,
                token: formToken("account", person.session.id, key.text, transfers.poller(of: storeKey) ?? "")
            ).response(ray: ray)
        }
        return handOver(key, storeKey, application, person, call)
    }

    private func handOver(
        _ key: SealedBox.PublicKey, _ storeKey: TransferStore.Key, _ application: AccessApplication, _ person: Person,
        _ call: Call
    ) -> AccessResponse {
        let (ray, poller) = (call.request.ray, transfers.poller(of: storeKey) ?? "")
        guard let form = call.form,
            isFormToken(form["csrf"], "account", person.session.id, key.text, poller)
        else {
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
                $0.reason = "account certificate"
            }
            return Pages.refused().response(ray: ray)
        }
        do {
            let text = try accountCertificate?() ?? ""
            guard transfers.deposit(TransferStore.Delivery(body: text), for: storeKey, at: poller) else {
                return Pages.nobodyWaits().response(ray: ray)
            }
        } catch {
            return failed(error, ray: ray)
        }
        note(.consent, "ok", call) {
            $0.application = application.id
            $0.describe(person.session)
            $0.reason = "account certificate"
        }
        return Pages.handedOver(closes: false).response(ray: ray)
    }

    private func match(_ path: String) -> ApplicationMatch? {
        policies.snapshot.configuration.match(authority: names().team, target: path)
    }

    /// The client's key, which ends the address of its store. Nobody is sent there.
    private static func key(_ callback: String?) -> SealedBox.PublicKey? {
        guard let callback, callback.hasPrefix("https://"), let last = callback.split(separator: "/").last else {
            return nil
        }
        return SealedBox.PublicKey(text: last)
    }
}
