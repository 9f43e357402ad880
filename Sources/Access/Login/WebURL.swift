import Foundation
package import TunnelConfig

/// An https address in the parts that decide who gets what. There is no other scheme: a secret never goes out in clear.
package struct WebURL: Hashable, Sendable, CustomStringConvertible {
    /// Lower case, without brackets.
    package let host: String
    /// 443 when none is written.
    package let port: Int
    /// Percent-encoded, from `/`.
    package var path: String
    /// Percent-encoded, without `?`.
    package var query: String?

    /// Nil for another scheme, a user in front of the host, or what is no URL.
    package init?(_ text: String, relativeTo base: WebURL? = nil) {
        guard text.utf8.count <= 32 << 10, !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F || $0 == 0x5C }),
            let url = URL(string: text, relativeTo: base.flatMap { URL(string: $0.description) })?.absoluteURL,
            let parts = URLComponents(url: url, resolvingAgainstBaseURL: true), parts.scheme?.lowercased() == "https",
            parts.user == nil, parts.password == nil, let host = parts.host?.lowercased(), !host.isEmpty
        else { return nil }
        let port = parts.port ?? 443
        guard (1...65535).contains(port) else { return nil }
        self.host = host.filter { $0 != "[" && $0 != "]" }
        self.port = port
        path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        query = parts.percentEncodedQuery
    }

    /// The address of a protected host.
    package init(_ hostname: AccessHostname) {
        host = hostname.host.lowercased()
        port = hostname.port ?? 443
        path = Self.ascii(hostname.path.isEmpty ? "/" : hostname.path)
        query = hostname.query.map(Self.ascii)
    }

    init(_ domain: AuthDomain, path: String) {
        host = domain.host
        port = domain.port
        self.path = path
    }

    /// Host and port as in a `Host` header.
    package var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == 443 ? name : "\(name):\(port)"
    }

    package var description: String { "https://\(authority)\(path)\(query.map { "?" + $0 } ?? "")" }

    /// Without the query, which may hold what no log should.
    package var place: String { "https://\(authority)\(path)" }

    package func isSamePlace(as other: WebURL) -> Bool { host == other.host && port == other.port }

    /// Names and values of the query, decoded, in their order.
    package var items: [(name: String, value: String)] {
        (query ?? "").split(separator: "&").map { part in
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.decoded(pair[0]), pair.count == 2 ? Self.decoded(pair[1]) : "")
        }
    }

    /// Puts items into the query: those that are given replace what has their names, and all are sorted by name.
    package mutating func set(_ given: [(name: String, value: String)]) {
        let kept = items.filter { item in !given.contains { $0.name == item.name } }
        query = (kept + given).enumerated().sorted { ($0.element.name, $0.offset) < ($1.element.name, $1.offset) }
            .map { "\(Self.encoded($0.element.name))=\(Self.encoded($0.element.value))" }.joined(separator: "&")
    }

    private static func decoded(_ text: Substring) -> String {
        let spaced = text.replacingOccurrences(of: "+", with: " ")
        return spaced.removingPercentEncoding ?? spaced
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                String(UnicodeScalar(byte))
            case UInt8(ascii: " "): "+"
            default: escape(byte)
            }
        }.joined()
    }

    /// A path typed with other letters is sent percent-encoded.
    private static func ascii(_ text: String) -> String {
        text.utf8.map { $0 > 0x20 && $0 < 0x7F ? String(UnicodeScalar($0)) : escape($0) }.joined()
    }

    private static func escape(_ byte: UInt8) -> String {
        "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
}

/// What Access asks of somebody without a token (access-protocol section 1.10).
package enum LoginRedirect {
    package static let path = "/cdn-cgi/access/login"

    /// Whether an answer says "log in first": exactly 302, to a path that begins as the login's does. The host is not
    /// examined: nothing is sent there for it.
    package static func isOne(status: Int, location: String?, target: String) -> Bool {
        guard status == 302, let location,
            let resolved = URL(string: location, relativeTo: URL(string: "https://host.invalid" + target))
        else { return false }
        return resolved.absoluteURL.path.hasPrefix(path)
    }
}
