import Foundation

/// Host names as they are compared and sent: ASCII, lower case, without a final dot.
package enum DomainName {
    /// The ASCII form of a host name, or nil when it cannot be one.
    ///
    /// Non-ASCII labels become `xn--` labels (RFC 3492) after lower-casing and composition, which is what the IDNA lookup
    /// rules come to for names in use. A `*` label passes, so that wildcard patterns go through the same door.
    package static func ascii(_ name: some StringProtocol) -> String? {
        var text = String(name)
        if !text.utf8.allSatisfy({ $0 < 0x80 }) {
            text = text.lowercased().precomposedStringWithCanonicalMapping
            for dot in ["\u{3002}", "\u{FF0E}", "\u{FF61}"] { text = text.replacingOccurrences(of: dot, with: ".") }
        }
        if text.utf8.last == UInt8(ascii: ".") { text.removeLast() }
        guard !text.isEmpty, text.utf8.count <= 1024 else { return nil }
        var labels: [String] = []
        for label in text.split(separator: ".", omittingEmptySubsequences: false) {
            guard let ascii = asciiLabel(label) else { return nil }
            labels.append(ascii)
        }
        let joined = labels.joined(separator: ".")
        return joined.utf8.count <= 253 ? joined : nil
    }

    /// The host of a `Host` or `:authority` value in the form of `ascii`: port, brackets and final dot removed.
    ///
    /// What is not a host name (an address, a name with odd bytes) comes back lower-cased; it then matches only what is
    /// spelled the same.
    package static func host(ofAuthority authority: String) -> String {
        var host = Substring(authority)
        if host.utf8.first == UInt8(ascii: "[") {
            if let end = host.firstIndex(of: "]") { return host[..<end].dropFirst().lowercased() }
        } else if let colon = host.lastIndex(of: ":"), host.firstIndex(of: ":") == colon {
            host = host[..<colon]
        }
        if let ascii = ascii(host) { return ascii }
        let lower = host.lowercased()
        return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    }

    private static func asciiLabel(_ label: Substring) -> String? {
        guard !label.isEmpty else { return nil }
        var lower = label.lowercased()
        if !lower.utf8.allSatisfy({ $0 < 0x80 }) {
            let readable = lower.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII || isLetterLike(scalar)
            }
            guard readable, let encoded = Punycode.encode(lower) else { return nil }
            lower = "xn--" + encoded
        }
        guard lower.utf8.count <= 63 else { return nil }
        for byte in lower.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "_"), UInt8(ascii: "*"):
                continue
            default:
                return nil
            }
        }
        return lower
    }

    private static func isLetterLike(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .lowercaseLetter, .otherLetter, .modifierLetter, .nonspacingMark, .spacingMark, .decimalNumber: true
        // Joiners are legal inside some scripts' names; symbols (emoji) are registered under a few domains.
        case .format: scalar.value == 0x200C || scalar.value == 0x200D
        case .otherSymbol: true
        default: false
        }
    }
}
