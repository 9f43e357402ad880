/// The Access application that guards a hostname, as the hostname proved it to be.
package struct ProtectedApplication: Hashable, Sendable {
    /// The address it was asked at.
    package let url: WebURL
    /// The application's own pattern; names its token file.
    package let hostname: String
    package let audience: String
    package let team: AuthDomain

    /// The application's token; shared with the official client.
    package var tokenFile: String { Self.fileName("\(hostname)-\(audience)-token", replacing: "/*") }
    /// The token of the whole team.
    package var teamTokenFile: String { Self.teamTokenFile(team) }

    /// Whether a token is one of this application, by its own words: another team may use the same names.
    func isNamed(by token: AccessToken) -> Bool {
        token.audience.contains(audience) && token.issuer == team.issuer
    }

    static func teamTokenFile(_ team: AuthDomain) -> String { fileName("\(team)-org-token", replacing: "/") }
    static func keyFile(_ team: AuthDomain) -> String { fileName("\(team)-jwks", replacing: "/") }

    private static func fileName(_ text: String, replacing letters: String) -> String {
        String(text.map { letters.contains($0) ? "-" : $0 })
    }
}
