/// An OpenID Connect provider that people log in at (access-protocol section 3.6).
package struct IdentityProvider: Hashable, Sendable, Identifiable {
    /// What policies name it by (`login_method`, `identity_provider_id`).
    package var id: String
    /// What the login page calls it.
    package var name: String
    /// Without a final slash; its discovery document must name the same one.
    package var issuer: String
    package var clientID: String
    package var clientSecret: ClientSecret
    /// Beside `openid`.
    package var scopes: [String]
    /// Claims that are kept for policies (`oidc` selectors); `groups` is always among them.
    package var claims: [String]
    /// The claim that holds the address.
    package var emailClaim: String
    /// The provider only ever names addresses that it has verified, even where it does not say so by `email_verified`.
    package var assumesEmailVerified: Bool
    /// PEM file with the authorities its certificate is checked by; nil: the system's.
    package var authorityFile: String?

    /// Redacted wherever it is printed.
    package struct ClientSecret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
        CustomReflectable
    {
        package let text: String

        package init(_ text: String) { self.text = text }

        package var description: String { "(redacted)" }
        package var debugDescription: String { description }
        package var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// Whether what it says of people means the same by `other`, which has the same issuer.
    package func vouchesAs(_ other: IdentityProvider) -> Bool {
        clientID == other.clientID && emailClaim == other.emailClaim
            && assumesEmailVerified == other.assumesEmailVerified
    }

    package init(
        id: String, name: String? = nil, issuer: String, clientID: String, clientSecret: ClientSecret,
        scopes: [String] = ["email", "profile"], claims: [String] = [], emailClaim: String = "email",
        assumesEmailVerified: Bool = false, authorityFile: String? = nil
    ) {
        self.id = id
        self.name = name ?? id
        self.issuer = issuer
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.scopes = scopes
        self.claims = claims
        self.emailClaim = emailClaim
        self.assumesEmailVerified = assumesEmailVerified
        self.authorityFile = authorityFile
    }
}
