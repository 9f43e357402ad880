package import FoundationEssentials

/// All that decides who may pass, at one moment. A value: replaced whole, read without waiting.
package struct AccessSnapshot: Hashable, Sendable {
    /// False only for `unavailable`.
    package let isAvailable: Bool
    package let configuration: AccessConfiguration
    /// In the order the login page shows them.
    package let providers: [IdentityProvider]
    /// Those that have not been ended.
    package let sessions: [AccessSession.ID: AccessSession]
    /// By the audience of an application: tokens issued before do not count any more.
    package let revokedBefore: [String: Date]

    package init(
        configuration: AccessConfiguration, providers: [IdentityProvider] = [], sessions: [AccessSession] = [],
        revokedBefore: [String: Date] = [:]
    ) {
        self.init(
            isAvailable: true, configuration: configuration, providers: providers, sessions: sessions,
            revokedBefore: revokedBefore)
    }

    /// Nothing is open.
    package static let empty = AccessSnapshot(configuration: .empty)

    /// Nothing is open because nothing is known.
    package static let unavailable = AccessSnapshot(
        isAvailable: false, configuration: .empty, providers: [], sessions: [], revokedBefore: [:])

    private init(
        isAvailable: Bool, configuration: AccessConfiguration, providers: [IdentityProvider],
        sessions: [AccessSession], revokedBefore: [String: Date]
    ) {
        self.isAvailable = isAvailable
        self.configuration = configuration
        self.providers = providers
        self.sessions = Dictionary(sessions.map { ($0.id, $0) }, uniquingKeysWith: { _, last in last })
        self.revokedBefore = revokedBefore
    }

    /// The session behind a user's token for `audience`; nil when the token does not count (any more).
    package func session(of claims: TokenClaims, audience: String, now: Date) -> AccessSession? {
        guard isAvailable, claims.isLive(at: now), claims.audience.contains(audience),
            revokedBefore[audience].map({ claims.issuedAt >= $0 }) ?? true,
            let session = claims.sessionID.flatMap({ sessions[$0] }), now < session.endsAt,
            session.profile.userID == claims.subject
        else { return nil }
        return session
    }
}
