package import TunnelConfig

/// One place that an application guards: the hosts of a pattern, and the paths of a pattern there
/// (access-protocol section 3.11). Written `host/path`; a port does not belong to it.
package struct ApplicationDomain: Hashable, Sendable, CustomStringConvertible {
    package let host: ApplicationHostname
    package let path: ApplicationPath

    package init(host: ApplicationHostname, path: ApplicationPath = .everything) {
        self.host = host
        self.path = path
    }

    /// Reads `rdp.example.com`, `*.example.com/admin`, `bücher.example/a/*/b`.
    package static func parse(_ text: String) throws(ConfigError) -> ApplicationDomain {
        guard !text.contains("://") else {
            throw ConfigError(
                "\(quoted(text)) is a URL", suggestion: "write it without the scheme: app.example.com/path")
        }
        let slash = text.firstIndex(of: "/") ?? text.endIndex
        let name = text[..<slash]
        guard !name.contains(":") else {
            throw ConfigError(
                "the domain \(quoted(text)) has a port", suggestion: "write the name alone; every port is guarded")
        }
        guard let ascii = DomainName.ascii(name), let host = ApplicationHostname(ascii) else {
            throw ConfigError(
                "\(quoted(name)) is not a host name or pattern",
                suggestion: "write for example app.example.com or *.example.com, with one * in a label")
        }
        guard let path = ApplicationPath(String(text[slash...])) else {
            throw ConfigError(
                "the path \(quoted(text[slash...])) of \(quoted(text)) is not plain",
                suggestion: "write it decoded, without query, //, dot segments, ; and \\, with one * in a segment")
        }
        return ApplicationDomain(host: host, path: path)
    }

    package var description: String { host.text + path.text }

    /// The order in which domains are tried, so that the first that matches is the most particular. Ties are broken by:
    /// an exact host before a pattern, the pattern with more literal text, the path with more literal text, a path without
    /// `*`, the text.
    static func isMoreParticular(_ left: ApplicationDomain, _ right: ApplicationDomain) -> Bool {
        func rank(_ domain: ApplicationDomain) -> (Int, Int, Int, Int) {
            (
                domain.host.isWildcard ? 1 : 0, -domain.host.literalLength, -domain.path.literalLength,
                domain.path.isWildcard ? 1 : 0
            )
        }
        let (first, second) = (rank(left), rank(right))
        return first == second ? left.description < right.description : first < second
    }
}
