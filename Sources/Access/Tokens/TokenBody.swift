package import AccessPolicy
package import JWTKit

/// The payload of our own tokens as it stands on the wire (access-protocol sections 2.5, 3.5 and 3.10). Times are whole
/// seconds: the official client refuses fractions.
package struct TokenBody: JWTPayload, Hashable {
    package var type: String
    package var aud: Audience
    /// Absent from what strangers are given, so that ordinary validators refuse it.
    package var iss: String?
    package var iat: Int
    package var nbf: Int?
    package var exp: Int?
    package var sub: String?
    package var jti: String?
    package var sid: String?
    package var email: String?
    package var country: String?
    package var identityNonce: String?
    package var commonName: String?
    package var custom: [String: JSONValue]?
    package var cli: Bool?

    // Of metadata and of what is carried through the login.
    package var hostname: String?
    package var appHostname: String?
    package var authDomain: String?
    package var redirectURL: String?
    /// What the policies are asked about, where that is not where the browser goes.
    package var decisionPath: String?
    package var authStatus: String?
    package var serviceTokenStatus: Bool?
    /// SHA-256 of the `CF_AppSession` that the login was begun with.
    package var appSession: String?

    /// A text in what clients read as such, a list in all else.
    package enum Audience: Hashable, Sendable {
        case one(String)
        case list([String])

        package var values: [String] {
            switch self {
            case .one(let value): [value]
            case .list(let values): values
            }
        }
    }

    package init(type: String, aud: Audience, iat: Int) {
        self.type = type
        self.aud = aud
        self.iat = iat
    }

    /// Times and purpose are `TokenVerifier`'s to check, which knows what time it is.
    package func verify(using algorithm: some JWTAlgorithm) {}

    enum CodingKeys: String, CodingKey {
        case type, aud, iss, iat, nbf, exp, sub, jti, sid, email, country, custom, cli, hostname
        case identityNonce = "identity_nonce"
        case commonName = "common_name"
        case appHostname = "app_hostname"
        case authDomain = "auth_domain"
        case redirectURL = "redirect_url"
        case decisionPath = "decision_path"
        case authStatus = "auth_status"
        case serviceTokenStatus = "service_token_status"
        case appSession = "app_session"
    }
}

extension TokenBody.Audience: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(String.self) {
            self = .one(value)
        } else {
            self = .list(try container.decode([String].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .one(let value): try container.encode(value)
        case .list(let values): try container.encode(values)
        }
    }
}
