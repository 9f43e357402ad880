package import FoundationEssentials

extension AccessSnapshot {
    /// The service token behind an assertion for `audience` that the edge once signed; nil when it does not count (any
    /// more).
    package func serviceToken(of claims: TokenClaims, audience: String, now: Date) -> ServiceTokenRecord? {
        guard isAvailable, claims.isLive(at: now), claims.audience.contains(audience),
            revokedBefore[audience].map({ claims.issuedAt >= $0 }) ?? true,
            let record = claims.serviceTokenID.flatMap({ configuration.tokens[$0] }), !record.isExpired(at: now),
            // With another secret it is another token, though it has the same id.
            claims.issuedAt.timeIntervalSince1970 >= record.createdAt.timeIntervalSince1970.rounded(.down)
        else { return nil }
        return record
    }
}
