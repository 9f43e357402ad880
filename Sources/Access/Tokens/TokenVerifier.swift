package import AccessPolicy
package import FoundationEssentials
import JWTKit

/// Checks tokens of the team against its published keys. A value: made anew when the keys change.
package struct TokenVerifier: Sendable {
    /// What clocks may differ by, for times that lie behind; an end is an end (access-protocol section 3.13, 12).
    package static let skew = 60.0
    /// No session of anybody lasts longer.
    private static let longestLife = 31 * 86_400

    private let keyIDs: Set<String>
    private let keys: JWTKeyCollection

    package init(keys publicKeys: [TokenSigner.PublicKey]) async throws {
        keyIDs = Set(publicKeys.map(\.id))
        keys = JWTKeyCollection()
        for key in publicKeys {
            try await keys.add(
                jwk: .rsa(
                    .rs256, identifier: JWKIdentifier(string: key.id), modulus: key.modulus, exponent: key.exponent))
        }
        // An unknown key is no reason to try another one.
        await keys.clearDefault()
    }

    package func knowsKey(of token: CompactToken) -> Bool { token.keyID.map(keyIDs.contains) ?? false }

    /// Signature, kind, issuer and times: nil when any of them is not good.
    ///
    /// - Parameter issuer: that `app` and `org` tokens must name; the other kinds must name none.
    package func body(of token: CompactToken, kind: TokenKind, issuer: String, now: Date) async -> TokenBody? {
        guard token.algorithm == "RS256", knowsKey(of: token),
            let body = try? await keys.verify(token.text, as: TokenBody.self),
            body.type == kind.rawValue, Self.hasGoodTimes(body, now: now)
        else { return nil }
        switch kind {
        case .app, .org: return body.iss == issuer ? body : nil
        case .match, .meta: return body.iss == nil ? body : nil
        }
    }

    private static func hasGoodTimes(_ body: TokenBody, now: Date) -> Bool {
        let seconds = now.timeIntervalSince1970
        guard let exp = body.exp, Double(exp) > seconds, Double(body.iat) <= seconds + skew,
            body.nbf.map({ Double($0) <= seconds + skew }) ?? true
        else { return false }
        let (life, overflows) = exp.subtractingReportingOverflow(body.iat)
        return !overflows && (0...longestLife).contains(life)
    }
}

extension TokenClaims {
    /// What a good body says.
    package init?(_ body: TokenBody, kind: TokenKind) {
        guard let exp = body.exp else { return nil }
        self.init(
            kind: kind, audience: body.aud.values, subject: body.sub ?? "", sessionID: body.sid,
            serviceTokenID: body.commonName.map { ServiceTokenID(rawValue: $0) }, email: body.email,
            isTransferred: body.cli ?? false, issuedAt: Date(timeIntervalSince1970: Double(body.iat)),
            expiresAt: Date(timeIntervalSince1970: Double(exp)))
    }
}
