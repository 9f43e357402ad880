package import FoundationEssentials

/// One login of one person at the team domain. Tokens name it; a token whose session is not in the snapshot is worthless,
/// so that ending a session needs no list of what was revoked.
package struct AccessSession: Hashable, Sendable, Identifiable {
    /// 128 random bits in hexadecimal. Not a secret: it opens nothing without a signature.
    package let id: String
    package let createdAt: Date
    /// The hard end, whatever tokens say.
    package let endsAt: Date
    /// The address it was opened from.
    package let address: String
    /// As it was told at the login.
    package let profile: Profile
    package let identity: Identity

    /// A user's oldest sessions end when there would be more: nobody's logins fill the store.
    package static let mostPerUser = 100

    /// Who somebody is, as the identity provider told it: what a store keeps.
    package struct Profile: Hashable, Sendable, Codable {
        /// The user's id with us (a UUID), the same at each login by the same provider.
        package var userID: String
        /// The id of the identity provider.
        package var provider: String
        /// Only a verified one.
        package var email: String?
        package var name: String?
        package var authMethods: [String]
        package var claims: [String: [String]]

        package init(
            userID: String, provider: String, email: String?, name: String? = nil, authMethods: [String] = [],
            claims: [String: [String]] = [:]
        ) {
            self.userID = userID
            self.provider = provider
            self.email = email
            self.name = name
            self.authMethods = authMethods
            self.claims = claims
        }
    }

    package init(id: String, createdAt: Date, endsAt: Date, address: String, profile: Profile) {
        self.id = id
        self.createdAt = createdAt
        self.endsAt = endsAt
        self.address = address
        self.profile = profile
        identity = Identity(
            subject: profile.userID, email: profile.email, loginMethod: profile.provider,
            authMethods: profile.authMethods, claims: profile.claims, sessionEnd: endsAt)
    }
}
