package import FoundationEssentials

/// What a token of the team is for. The purposes share their signing keys, so each use checks it (access-protocol section
/// 3.13, 11).
package enum TokenKind: String, Hashable, Sendable, Codable, CaseIterable {
    /// Opens one application.
    case app
    /// The global session at the team domain; opens nothing by itself.
    case org
    /// Tells a client which application guards a host; for anybody.
    case match
    /// Carries what was asked through the login; for anybody.
    case meta
}

/// What a verified token says: signature, issuer, kind and times were found good when it was read. A value that may be
/// kept; whether it still counts, `isLive` and the session behind it say.
package struct TokenClaims: Hashable, Sendable {
    package var kind: TokenKind
    package var audience: [String]
    /// Of a user; empty for a service token.
    package var subject: String
    /// The session a user's token belongs to; nil for a service token.
    package var sessionID: AccessSession.ID?
    /// The `common_name` of a service token's assertion.
    package var serviceTokenID: ServiceTokenID?
    package var email: String?
    /// Was handed to a program by the transfer store; good for nothing but opening applications at the team domain.
    package var isTransferred: Bool
    package var issuedAt: Date
    package var expiresAt: Date

    package init(
        kind: TokenKind, audience: [String], subject: String, sessionID: AccessSession.ID?,
        serviceTokenID: ServiceTokenID? = nil, email: String? = nil, isTransferred: Bool = false, issuedAt: Date,
        expiresAt: Date
    ) {
        self.kind = kind
        self.audience = audience
        self.subject = subject
        self.sessionID = sessionID
        self.serviceTokenID = serviceTokenID
        self.email = email
        self.isTransferred = isTransferred
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }

    package func isLive(at now: Date) -> Bool { now < expiresAt }
}
