import TunnelConfig

/// A team domain that was allowed: where tokens come from and whose signature counts.
package struct AuthDomain: Hashable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int

    /// With the port unless it is 443: as it names files, URLs and issuers.
    package var description: String { port == 443 ? host : "\(host):\(port)" }

    package var issuer: String { "https://\(self)" }
}

/// Which team domains this client believes: those of Cloudflare, and exactly the ones the user named. What a server says
/// never extends it (access-protocol section 2.5).
package struct AuthDomains: Sendable, Equatable {
    private static let officialSuffix = ".cloudflareaccess.com"
    private let own: [AuthDomain]

    /// - Parameter entries: `host` or `host:port`, of self-hosted teams.
    /// - Throws: `LoginError` (configuration) for an entry that is neither.
    package init(_ entries: [String] = []) throws {
        own = try entries.map { entry in
            guard let domain = Self.parse(entry) else {
                throw LoginError(
                    .configuration,
                    "\"\(entry)\" is no team domain; give --auth-domain as HOST or HOST:PORT, such as acme.site.com:8443"
                )
            }
            return domain
        }
    }

    /// The domain a server named, if it is one of ours. Nothing is repaired: a user, path, query or fragment refuses it.
    package func allowed(_ text: String) -> AuthDomain? {
        guard let domain = Self.parse(text) else { return nil }
        if own.contains(domain) { return domain }
        return domain.port == 443 && domain.host.hasSuffix(Self.officialSuffix) ? domain : nil
    }

    private static func parse(_ text: String) -> AuthDomain? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let name = parts.first, parts.count <= 2,
            name.utf8.allSatisfy({ $0 < 0x80 }), let host = DomainName.ascii(name), !host.contains("*")
        else { return nil }
        guard parts.count == 2 else { return AuthDomain(host: host, port: 443) }
        guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let port = Int(parts[1]), (1...65535).contains(port)
        else { return nil }
        return AuthDomain(host: host, port: port)
    }
}
