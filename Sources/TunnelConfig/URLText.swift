/// The parts of a URL or of `host:port` as a person types it, split by hand: unlike general URL parsers it never repairs.
struct URLText {
    /// Lower case. Nil when there is no `://`.
    var scheme: String?
    var hasUserInfo = false
    /// Without brackets.
    var host = ""
    var isBracketed = false
    /// Digits after the last colon; nil without a colon, empty for `host:`.
    var port: Substring?
    /// From `/`, empty if none.
    var path: Substring = ""
    /// Without `?`.
    var query: Substring?
    var fragment: Substring?

    init(_ text: some StringProtocol) throws(ConfigError) {
        var rest = Substring(text)
        for scalar in rest.unicodeScalars {
            if scalar.value <= 0x20 || scalar.value == 0x7F || scalar.properties.isWhitespace {
                throw ConfigError("\(quoted(text)) contains a space or control character")
            }
        }
        if let range = rest.firstRange(ofText: "://") {
            let name = rest[..<range.lowerBound]
            guard Self.isScheme(name) else { throw ConfigError("\(quoted(text)) does not start with a scheme") }
            scheme = name.lowercased()
            rest = rest[range.upperBound...]
        }
        if let hash = rest.firstIndex(of: "#") {
            fragment = rest[rest.index(after: hash)...]
            rest = rest[..<hash]
        }
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        if let slash = rest.firstIndex(of: "/") {
            path = rest[slash...]
            rest = rest[..<slash]
        }
        if rest.contains("\\") { throw ConfigError("\(quoted(text)) contains a backslash") }
        if let at = rest.lastIndex(of: "@") {
            hasUserInfo = true
            rest = rest[rest.index(after: at)...]
        }
        try splitAuthority(rest, whole: text)
    }

    /// The port as a number from `range`, or nil when none is written.
    func portNumber(in range: ClosedRange<Int> = 1...65535) throws(ConfigError) -> Int? {
        guard let port, !port.isEmpty else { return nil }
        guard port.utf8.count <= 5, port.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(port),
            range.contains(number)
        else {
            throw ConfigError("\(quoted(port)) is not a port", suggestion: "use a number up to \(range.upperBound)")
        }
        return number
    }

    /// The host as it is dialled: an address unchanged, a name in ASCII form.
    func dialHost(whole: String) throws(ConfigError) -> String {
        if isBracketed {
            guard IPAddress(host, allowingZone: true) != nil else {
                throw ConfigError("\(quoted(host)) is not an IPv6 address")
            }
            return host.lowercased()
        }
        guard !host.isEmpty else { throw ConfigError("\(quoted(whole)) has no host") }
        guard let ascii = DomainName.ascii(host), !ascii.contains("*") else {
            throw ConfigError("\(quoted(host)) is not a host name or address")
        }
        return ascii
    }

    private mutating func splitAuthority(
        _ authority: Substring, whole: some StringProtocol
    ) throws(ConfigError) {
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else {
                throw ConfigError("\(quoted(whole)) lacks a closing ]")
            }
            host = String(authority[..<end].dropFirst())
            isBracketed = true
            let after = authority[authority.index(after: end)...]
            if after.isEmpty { return }
            guard after.first == ":" else { throw ConfigError("\(quoted(whole)) has text after ]") }
            port = after.dropFirst()
        } else if IPAddress(authority)?.isV6 ?? false {
            host = String(authority)
            isBracketed = true
        } else if let colon = authority.lastIndex(of: ":") {
            host = String(authority[..<colon])
            port = authority[authority.index(after: colon)...]
            if host.contains(":") {
                throw ConfigError(
                    "\(quoted(whole)) has too many colons", suggestion: "write an IPv6 address as [::1]:80")
            }
        } else {
            host = String(authority)
        }
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, isLetter(first) else { return false }
        return text.utf8.allSatisfy { isLetter($0) || (48...57).contains($0) || $0 == 43 || $0 == 45 || $0 == 46 }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (65...90).contains(byte) || (97...122).contains(byte)
    }
}

extension Substring {
    fileprivate func firstRange(ofText needle: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle), let end = index(start, offsetBy: needle.count, limitedBy: endIndex) {
                return start..<end
            }
            start = index(after: start)
        }
        return nil
    }
}

/// `host:port` with brackets around an IPv6 address.
func authority(_ host: String, _ port: Int?) -> String {
    let bracketed = host.contains(":") ? "[\(host)]" : host
    return port.map { "\(bracketed):\($0)" } ?? bracketed
}
