extension TeamNames {
    /// Compiled into the official client: those that trust us under these names find the store.
    static let officialStores: Set<String> = ["login.cloudflareaccess.org"]

    /// The audience of the global session: of no application.
    var teamAudience: String { RandomText.sha256("team \(issuer)") }
}
