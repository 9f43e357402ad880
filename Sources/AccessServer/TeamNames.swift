/// The names under which the identity side of the edge is reached, all on the visitors' listener (access-protocol
/// section 3.1).
package struct TeamNames: Hashable, Sendable {
    /// Host of the team domain, such as `acme.site.test`.
    package var team: String
    /// Host of the token transfer store.
    package var store: String
    /// The port that visitors use; 443 is not written.
    package var port: Int

    package init(team: String, store: String, port: Int) {
        self.team = team
        self.store = store
        self.port = port
    }

    /// The team domain as it stands in URLs and, by that, in `iss`.
    package var teamAuthority: String { authority(of: team) }

    /// What tokens name as their issuer.
    package var issuer: String { "https://\(teamAuthority)" }

    /// A host of this edge as a URL names it.
    package func authority(of host: String) -> String {
        port == 443 ? host : "\(host):\(port)"
    }
}
