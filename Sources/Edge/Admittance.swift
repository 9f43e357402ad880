import AccessPolicy
import FoundationEssentials
import NIOHTTP1
import TunnelConfig

/// That a visitor was let in: by what, for how long, and what the connector is told of it. A value that lives as long as
/// the visitor's stream. Holds a token: never to be printed.
struct Admittance: Sendable {
    enum Subject: Sendable {
        /// A bypass policy asks nobody who they are.
        case anyone
        case user(TokenClaims, AccessSession)
        /// With the token that the edge once signed for it; nil: its secret was shown.
        case serviceToken(ServiceTokenRecord, TokenClaims?)
        case certificate
    }

    /// Why an open stream has to end.
    enum Withdrawal: String, Sendable {
        case expired = "the login has expired"
        case sessionEnded = "the session was ended"
        case tokenGone = "the service token was removed or has expired"
        case policy = "the policy does not admit the visitor any more"
        case destination = "the destination is not allowed any more"
        case policyLost = "the edge cannot read its access policy"
    }

    let application: AccessApplication
    let policy: Policy.ID
    let subject: Subject
    let facts: RequestFacts
    /// Where a bastion leads.
    var destination: JumpDestination?
    /// `Cf-Access-Jwt-Assertion`; nil for bypass.
    var assertion: String?
    /// `Set-Cookie` for the visitor.
    var cookie: String?

    /// When it ends by itself.
    var endsAt: Date? {
        switch subject {
        case .anyone, .certificate: nil
        case .user(let claims, let session): min(claims.expiresAt, session.endsAt)
        case .serviceToken(let record, let claims):
            [record.expiresAt, claims?.expiresAt].compactMap(\.self).min()
        }
    }

    /// Whether somebody was asked who they are.
    var isGuarded: Bool {
        if case .anyone = subject { false } else { true }
    }

    var email: String? {
        if case .user(_, let session) = subject { session.profile.email } else { nil }
    }

    /// What the logs call whoever was let in.
    var name: String? {
        switch subject {
        case .anyone, .certificate: nil
        case .user(_, let session): session.profile.email ?? session.profile.userID
        case .serviceToken(let record, _): record.id.rawValue
        }
    }

    /// Why the visitor would not be let in now; nil: nothing has changed. A policy that cannot be read at the moment is no
    /// withdrawal, though whoever comes anew is refused meanwhile; one that is lost for long is.
    ///
    /// - Parameter isPolicyLost: see `PolicyCache.isLost`.
    func withdrawal(by snapshot: AccessSnapshot, isPolicyLost: Bool, now: Date) -> Withdrawal? {
        if let endsAt, now >= endsAt { return .expired }
        guard snapshot.isAvailable else { return isPolicyLost ? .policyLost : nil }
        let configuration = snapshot.configuration
        var identity: Identity?
        var token: ServiceTokenRecord?
        switch subject {
        case .anyone, .certificate: break
        case .user(let claims, _):
            guard let session = snapshot.session(of: claims, audience: application.audience, now: now) else {
                return .sessionEnded
            }
            identity = session.identity
        case .serviceToken(let record, let claims):
            // Another secret under the same id is another token.
            guard let current = configuration.tokens[record.id], current.secretHash == record.secretHash else {
                return .tokenGone
            }
            if let claims, snapshot.serviceToken(of: claims, audience: application.audience, now: now) == nil {
                return .sessionEnded
            }
            token = current
        }
        let decision = configuration.decide(facts, identity: identity, provenToken: token?.id, now: now)
        guard decision.isForward, decision.application?.id == application.id else { return .policy }
        guard let destination else { return nil }
        let isAllowed = configuration.permits(
            destination, of: decision.application ?? application, facts, identity, token)
        return isAllowed ? nil : .destination
    }

    /// Whether a bastion may lead whoever was let in to `destination`.
    func leads(to destination: JumpDestination, by configuration: AccessConfiguration) -> Bool {
        switch subject {
        case .anyone, .certificate: configuration.permits(destination, of: application, facts, nil, nil)
        case .user(_, let session): configuration.permits(destination, of: application, facts, session.identity, nil)
        case .serviceToken(let record, _): configuration.permits(destination, of: application, facts, nil, record)
        }
    }
}

extension AccessConfiguration {
    fileprivate func permits(
        _ destination: JumpDestination, of application: AccessApplication, _ facts: RequestFacts,
        _ identity: Identity?, _ token: ServiceTokenRecord?
    ) -> Bool {
        destinations(of: application, facts: facts, identity: identity, serviceToken: token)
            .contains { $0.permitsUnresolved(destination) }
    }
}
