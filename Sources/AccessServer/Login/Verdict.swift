import Access
import AccessPolicy
import Foundation

/// Somebody with a session that counts.
struct Person: Sendable {
    let session: AccessSession
    /// Of the token that was shown.
    let claims: TokenClaims
}

/// What the policies say to somebody who has logged in.
enum Verdict: Sendable {
    case admitted(AccessApplication, Policy.ID, AccessDecision.Admission)
    /// Everybody is let in, without a token.
    case open(AccessApplication)
    case denied(policy: Policy.ID?)
    /// There is no such application any more, or nothing is known at the moment.
    case gone
}

extension AccessServer {
    /// Asks the policies about one place of an application.
    func verdict(
        on identity: Identity, audience: String, host: String, path: String, call: Call
    ) -> Verdict {
        let snapshot = policies.snapshot
        guard snapshot.isAvailable, let address = call.address else { return .gone }
        let facts = RequestFacts(authority: host, target: path, address: address)
        let decision = snapshot.configuration.decide(facts, identity: identity, serviceToken: nil, now: now())
        guard let application = decision.application, application.audience == audience else { return .gone }
        return switch decision {
        case .bypass: .open(application)
        case .forward(_, let policy, let admission): .admitted(application, policy, admission)
        case .denied(_, .policy(let policy)): .denied(policy: policy)
        case .denied, .loginNeeded, .serviceTokenNeeded: .denied(policy: nil)
        case .unguarded, .refused: .gone
        }
    }

    func application(audience: String, host: String) -> (AccessApplication, ApplicationDomain)? {
        CanonicalHost(authority: host).flatMap {
            policies.snapshot.configuration.application(audience: audience, at: $0)
        }
    }

    /// Who has shown the cookie of a host of an application.
    func person(at audience: String, _ call: Call) async -> Person? {
        await person(call, kind: .app, audience: audience)
    }

    /// Who has logged in at the team domain.
    ///
    /// - Parameter allowsTransferred: whether a program's token counts as well: only to open applications.
    func person(atTeam call: Call, allowsTransferred: Bool = false) async -> Person? {
        let person = await person(call, kind: .org, audience: names().teamAudience)
        return person.flatMap { $0.claims.isTransferred && !allowsTransferred ? nil : $0 }
    }

    private func person(_ call: Call, kind: TokenKind, audience: String) async -> Person? {
        guard let text = call.cookies[Cookies.authorization].text,
            let claims = await claims(of: text, kind: kind),
            let session = policies.snapshot.session(of: claims, audience: audience, now: now())
        else { return nil }
        return Person(session: session, claims: claims)
    }
}
