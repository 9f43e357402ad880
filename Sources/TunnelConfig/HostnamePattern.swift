/// The `hostname` of an ingress rule: one name, or `*.suffix` for every name below it at any depth.
///
/// Compared without regard to case, final dot or script (`*.bücher.example` meets `a.xn--bcher-kva.example`).
package struct HostnamePattern: Hashable, Sendable, CustomStringConvertible {
    /// As it was written.
    package let text: String
    private let form: Form

    private enum Form: Hashable, Sendable {
        case exact(String)
        /// With its leading dot.
        case suffix(String)
        case never
    }

    /// Nil for the patterns that mean every host: `""` and `*`.
    package init?(_ text: String) throws(ConfigError) {
        if text.isEmpty || text == "*" { return nil }
        self.text = text
        if text.contains(":") {
            throw ConfigError(
                "the hostname \(quoted(text)) cannot contain a port",
                suggestion: "write the name alone; a rule serves every port")
        }
        if text.contains("/") {
            throw ConfigError(
                "the hostname \(quoted(text)) cannot contain a path", suggestion: "put the path under path:")
        }
        guard text.lastIndex(of: "*").map({ $0 == text.startIndex }) ?? true else {
            throw ConfigError(
                "the hostname \(quoted(text)) has a wildcard in the wrong place",
                suggestion: "at most one *, only for subdomains: *.example.com")
        }
        guard let ascii = DomainName.ascii(text) else {
            throw ConfigError("\(quoted(text)) is not a host name", suggestion: "write for example app.example.com")
        }
        if ascii.hasPrefix("*.") {
            form = .suffix(String(ascii.dropFirst()))
        } else if ascii.hasPrefix("*") {
            form = .never
        } else {
            form = .exact(ascii)
        }
    }

    /// True for `*x.com`, which is legal and matches nothing.
    package var neverMatches: Bool { form == .never }

    package var description: String { text }

    /// Whether `host`, as given by `DomainName.host(ofAuthority:)`, is one of ours.
    package func matches(_ host: String) -> Bool {
        switch form {
        case .exact(let name): host == name
        case .suffix(let suffix): host.utf8.count > suffix.utf8.count && host.hasSuffix(suffix)
        case .never: false
        }
    }
}
