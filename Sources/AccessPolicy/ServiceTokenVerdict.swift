package import FoundationEssentials

/// What became of the service token headers of a request (access-protocol section 3.13, 8).
package enum ServiceTokenVerdict: Hashable, Sendable {
    /// None, or only half of one.
    case missing
    /// Unknown id or wrong secret; which of the two is nobody's business.
    case wrong
    /// The right secret, too late.
    case expired
    case valid(ServiceTokenRecord)
}

extension [ServiceTokenID: ServiceTokenRecord] {
    /// Judges what was sent; nil: the header was absent.
    package func verdict(clientID: String?, clientSecret: String?, now: Date) -> ServiceTokenVerdict {
        guard let clientID, let clientSecret, !clientID.isEmpty, !clientSecret.isEmpty else { return .missing }
        let record = self[ServiceTokenID(rawValue: clientID)]
        // An unknown id costs the same as a wrong secret: one hash, one comparison.
        let presented = ServiceTokenSecret(clientSecret).hash
        let isRight = constantTimeEqual(presented, record?.secretHash ?? noSecret)
        guard let record, isRight else { return .wrong }
        return record.isExpired(at: now) ? .expired : .valid(record)
    }
}

private let noSecret = [UInt8](repeating: 0, count: 32)
