import TunnelConfig

/// The host of a request as applications are looked up by it: one value for every spelling of a host name
/// (access-protocol section 3.11). Case, port, final dot, brackets, Unicode or punycode do not count.
package struct CanonicalHost: Hashable, Sendable, CustomStringConvertible {
    /// ASCII in lower case; an IPv6 address without brackets.
    package let name: String

    /// From a `Host` or `:authority` value. Nil for what is no host, which nothing may be decided by.
    package init?(authority: some StringProtocol) {
        guard authority.utf8.count <= 1024 else { return nil }
        let text = Substring(authority)
        if text.utf8.first == UInt8(ascii: "[") {
            guard let end = text.firstIndex(of: "]"), Self.isPort(text[text.index(after: end)...]),
                let address = IPAddress(text[..<end].dropFirst()), address.isV6
            else { return nil }
            name = address.description
            return
        }
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        guard Self.isPort(text[colon...]), let ascii = DomainName.ascii(text[..<colon]),
            !ascii.utf8.contains(UInt8(ascii: "*"))
        else { return nil }
        name = ascii
    }

    package var description: String { name }

    /// Nothing, or a colon and at most five digits.
    private static func isPort(_ text: Substring) -> Bool {
        guard let colon = text.utf8.first else { return true }
        let digits = text.utf8.dropFirst()
        return colon == UInt8(ascii: ":") && digits.count <= 5 && digits.allSatisfy { (48...57).contains($0) }
    }
}
