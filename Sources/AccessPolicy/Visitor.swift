package import FoundationEssentials
package import TunnelConfig

/// What is known of a request besides who is behind it: the ground of per-request selectors (access-protocol
/// section 3.12).
package struct RequestFacts: Hashable, Sendable {
    /// The `Host` or `:authority` value as it was sent.
    package var authority: String
    /// The request target as it was sent.
    package var target: String
    /// From the TCP peer or a trusted PROXY header, never from another header.
    package var address: IPAddress
    /// Two letters, upper case. Nil: nobody knows, which counts against the visitor.
    package var country: String?
    /// Nil: none was shown, or it did not verify.
    package var certificate: ClientCertificate?

    package init(
        authority: String, target: String, address: IPAddress, country: String? = nil,
        certificate: ClientCertificate? = nil
    ) {
        self.authority = authority
        self.target = target
        self.address = address.unmapped
        self.country = country
        self.certificate = certificate
    }
}

/// A verified client certificate.
package struct ClientCertificate: Hashable, Sendable {
    package var commonName: String?

    package init(commonName: String?) { self.commonName = commonName }
}

/// Who has logged in, as the identity provider told it.
package struct Identity: Hashable, Sendable {
    /// The user's id with us.
    package let subject: String
    /// Only a verified one. Nil counts against the visitor wherever an address is asked for.
    package let email: String?
    /// The id of the identity provider.
    package let loginMethod: String
    /// When the session ends, whatever its tokens say.
    package let sessionEnd: Date

    let foldedEmail: ExactText?
    let foldedDomain: ExactText?
    let authMethods: Set<ExactText>
    /// Sets, so that a person in very many groups costs no more than one in few.
    let claims: [String: Set<ExactText>]

    package init(
        subject: String, email: String?, loginMethod: String, authMethods: [String] = [],
        claims: [String: [String]] = [:], sessionEnd: Date
    ) {
        self.subject = subject
        self.email = email
        self.loginMethod = loginMethod
        self.sessionEnd = sessionEnd
        self.authMethods = Set(authMethods.map { ExactText($0) })
        self.claims = claims.mapValues { Set($0.map { ExactText($0) }) }
        foldedEmail = email.map { ExactText(folding: $0) }
        foldedDomain = email.flatMap { email in
            email.utf8.lastIndex(of: UInt8(ascii: "@")).map {
                ExactText(folding: email[email.utf8.index(after: $0)...])
            }
        }
    }
}

/// The two headers of a service token, as they came.
package struct PresentedServiceToken: Hashable, Sendable {
    package var clientID: String
    package var clientSecret: ServiceTokenSecret

    package init(clientID: String, clientSecret: ServiceTokenSecret) {
        self.clientID = clientID
        self.clientSecret = clientSecret
    }

    /// From the one header that an application may name instead (section 3.8): a JSON object with the two names in lower
    /// case. Nil for anything else.
    package init?(json text: String) {
        struct Pair: Decodable {
            var id: String
            var secret: String

            enum CodingKeys: String, CodingKey {
                case id = "cf-access-client-id"
                case secret = "cf-access-client-secret"
            }
        }
        guard text.utf8.count <= 4096, let pair = try? JSONDecoder().decode(Pair.self, from: Data(text.utf8)) else {
            return nil
        }
        self.init(clientID: pair.id, clientSecret: ServiceTokenSecret(pair.secret))
    }
}
