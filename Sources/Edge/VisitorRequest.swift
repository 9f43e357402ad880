package import NIOHTTP1

/// What a visitor asked, checked against the shapes that smuggle requests.
package struct VisitorRequest: Sendable {
    /// Upper case.
    package let method: String
    /// Path and query.
    package let path: String
    /// Host name in lower case, without port and final dot; IPv6 without brackets. What everything is decided by.
    package let host: String
    /// The host with the port the visitor gave, if any: what is passed on. Not as it was written, since a connector that
    /// tells spellings apart would choose another rule than the one that was guarded.
    package let authority: String
    /// All headers, as they came.
    package let headers: HTTPHeaders
    /// Whether a WebSocket is asked for. HTTP/1.1 only.
    package let isWebSocket: Bool
    /// Whether the visitor waits for leave to send its body.
    package let expectsContinue: Bool

    /// A request that is refused before it is looked at further.
    package struct Refusal: Error, Equatable {
        package let status: Int
        package let reason: String
    }

    /// Checks a head as the HTTP/1 decoder or the HTTP/2 codec made it.
    package init(_ head: HTTPRequestHead) throws(Refusal) {
        method = head.method.rawValue
        headers = head.headers
        guard !method.isEmpty, method.utf8.allSatisfy(HeaderSyntax.isToken) else { throw Self.bad("method") }
        guard method != "CONNECT", method != "TRACE" else {
            throw Refusal(status: 405, reason: "the edge does not serve \(method)")
        }
        try Self.checkFields(head.headers)
        try Self.checkFraming(head)
        let hosts = head.headers["host"]
        guard hosts.count == 1, let given = hosts.first else {
            throw Self.bad("Host header: there must be exactly one")
        }
        guard let name = Self.hostName(given) else { throw Self.bad("Host header") }
        host = name
        authority = (name.contains(":") ? "[\(name)]" : name) + Self.port(of: given)
        path = try Self.path(head.uri, host: name)
        isWebSocket =
            head.version == .http1_1 && head.method == .GET
            && head.headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
            && head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
        expectsContinue =
            head.version != .http1_0
            && head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
    }

    private static func bad(_ what: String) -> Refusal {
        Refusal(status: 400, reason: "the request is malformed: \(what)")
    }

    private static func checkFields(_ headers: HTTPHeaders) throws(Refusal) {
        for (name, value) in headers {
            guard HeaderSyntax.isName(name), HeaderSyntax.isValue(value) else { throw bad("a header field") }
        }
    }

    /// One way to tell where the body ends, or none at all.
    private static func checkFraming(_ head: HTTPRequestHead) throws(Refusal) {
        let lengths = head.headers["content-length"]
        let codings = head.headers["transfer-encoding"]
        if let length = lengths.first {
            guard lengths.count == 1, codings.isEmpty else { throw bad("the length of the body is given twice") }
            guard !length.isEmpty, length.utf8.count <= 18, length.utf8.allSatisfy(HeaderSyntax.isDigit) else {
                throw bad("Content-Length")
            }
        }
        guard let coding = codings.first else { return }
        guard codings.count == 1, coding.lowercased() == "chunked", head.version != .http1_0 else {
            throw bad("Transfer-Encoding")
        }
    }

    private static func path(_ uri: String, host: String) throws(Refusal) -> String {
        guard uri.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw bad("the request target")
        }
        if uri.hasPrefix("/") || uri == "*" { return uri }
        // The absolute form, as sent to a proxy: it must name the same host.
        for scheme in ["https://", "http://"] where uri.lowercased().hasPrefix(scheme) {
            let rest = uri.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            guard hostName(String(rest[..<end])) == host else { throw bad("its target and its Host differ") }
            let path = rest[end...]
            return path.hasPrefix("/") ? String(path) : "/" + path
        }
        throw bad("the request target")
    }

    /// The name in a Host header; nil when it is none.
    static func hostName(_ authority: String) -> String? {
        var name = authority[...]
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return nil }
            guard isPort(name[name.index(after: end)...]) else { return nil }
            name = name[name.index(after: name.startIndex)..<end]
            guard !name.isEmpty, name.utf8.allSatisfy({ HeaderSyntax.isHexDigit($0) || $0 == 0x3A || $0 == 0x2E })
            else {
                return nil
            }
            return name.lowercased()
        }
        if let colon = name.firstIndex(of: ":") {
            guard isPort(name[colon...]) else { return nil }
            name = name[..<colon]
        }
        if name.hasSuffix(".") { name = name.dropLast() }
        guard !name.isEmpty, name.utf8.count <= 253, name.utf8.allSatisfy(HeaderSyntax.isHostByte) else { return nil }
        return name.lowercased()
    }

    /// The port of a checked Host header with its colon; empty when there is none.
    private static func port(of authority: String) -> Substring {
        guard let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") else { return "" }
        let port = authority[colon...]
        return port.count > 1 ? port : ""
    }

    /// Nothing, or a colon and a port.
    private static func isPort(_ text: Substring) -> Bool {
        guard let colon = text.first else { return true }
        let digits = text.dropFirst()
        return colon == ":" && digits.utf8.count <= 5 && digits.utf8.allSatisfy(HeaderSyntax.isDigit)
    }
}

/// The bytes that HTTP allows in names and values (RFC 9110 section 5).
enum HeaderSyntax {
    static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy(isToken)
    }

    /// No control bytes but the tab: none that could end the field early.
    static func isValue(_ value: String) -> Bool {
        value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }

    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default:
            isLetterOrDigit(byte)
        }
    }

    static func isHostByte(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
            || byte == UInt8(ascii: "_")
    }

    static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f")
    }

    static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
    }
}
