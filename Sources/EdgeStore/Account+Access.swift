package import AccessPolicy

extension Account {
    /// Refuses applications that visitors could never reach.
    package func check(_ applications: [AccessApplication]) throws {
        for host in applications.flatMap(\.domains).map(\.host.text) {
            guard host == zone || host.hasSuffix(".\(zone)") else {
                throw StoreError(
                    .hostnameRefused, "\(host) is not inside this edge's zone \(zone); use a name that ends in .\(zone)"
                )
            }
        }
    }
}
