package import AccessPolicy

extension Account {
    /// Refuses applications that visitors could never reach.
    ///
    /// - Parameter teamHost: of the Access team domain, which may be outside the zone; there `login` has its application.
    package func check(_ applications: [AccessApplication], teamHost: String? = nil) throws {
        for host in applications.flatMap(\.domains).map(\.host.text) where host != teamHost {
            guard host == zone || host.hasSuffix(".\(zone)") else {
                throw StoreError(
                    .hostnameRefused, "\(host) is not inside this edge's zone \(zone); use a name that ends in .\(zone)"
                )
            }
        }
    }
}
