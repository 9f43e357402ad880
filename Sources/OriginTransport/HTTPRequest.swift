package import NIOHTTP1
import TunnelConfig

/// A request on its way to an HTTP/1.1 origin, as the edge sent it.
package struct HTTPRequest: Sendable {
    package var method: String
    /// Path and query.
    package var path: String
    /// The visitor's host.
    package var authority: String
    package var headers: HTTPHeaders
    /// False when the request ends with its head.
    package var hasBody: Bool
    /// Whether the visitor asks for a WebSocket.
    package var isUpgrade: Bool

    package init(
        method: String, path: String, authority: String, headers: HTTPHeaders, hasBody: Bool, isUpgrade: Bool = false
    ) {
        self.method = method
        self.path = path
        self.authority = authority
        self.headers = headers
        self.hasBody = hasBody
        self.isUpgrade = isUpgrade
    }

    /// Length of the body where the request tells it.
    var contentLength: Int? {
        guard hasBody, !isUpgrade, let text = headers.first(name: "content-length") else { return nil }
        return Self.length(text)
    }

    /// May be sent a second time after the connection broke: RFC 9110 section 9.2.2, and no body went with it.
    var isRepeatable: Bool {
        !hasBody && !isUpgrade && ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].contains(method)
    }

    /// What goes to the origin (tunnel-protocol sections 2.7 and 6.4): hop-by-hop fields of the visitor's side taken out,
    /// ours put in. No `Accept-Encoding` and no `User-Agent` are added.
    ///
    /// Everything is checked here, because HTTP/1.1 is text: a line break in a value would be a second request.
    func head(for target: OriginTarget, options: OriginRequest) throws(OriginError) -> HTTPRequestHead {
        guard method != "CONNECT", !method.isEmpty, method.utf8.allSatisfy(Self.isToken) else {
            throw OriginError(.requestInvalid, "the method of the request cannot be sent to an HTTP origin")
        }
        guard path.utf8.first == UInt8(ascii: "/") || path == "*", path.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
        else {
            throw OriginError(.requestInvalid, "the path of the request cannot be sent to an HTTP origin")
        }
        guard authority.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else {
            throw OriginError(.requestInvalid, "the host of the request cannot be sent to an HTTP origin")
        }
        var fields = HTTPHeaders()
        fields.add(name: "Host", value: options.httpHostHeader ?? (authority.isEmpty ? "\(target)" : authority))
        try copyHeaders(to: &fields)
        if options.httpHostHeader != nil { fields.replaceOrAdd(name: "X-Forwarded-Host", value: authority) }
        if isUpgrade {
            fields.add(name: "Connection", value: "Upgrade")
            fields.add(name: "Upgrade", value: "websocket")
            fields.replaceOrAdd(name: "Sec-Websocket-Version", value: "13")
        } else {
            fields.add(name: "Connection", value: "keep-alive")
            try frame(&fields, options: options)
        }
        return HTTPRequestHead(
            version: .http1_1, method: isUpgrade ? .GET : HTTPMethod(rawValue: method), uri: path, headers: fields)
    }

    private func copyHeaders(to fields: inout HTTPHeaders) throws(OriginError) {
        let named = Set(headers[canonicalForm: "connection"].map { $0.lowercased() })
        for (name, value) in headers {
            let lowercased = name.lowercased()
            guard !Self.isHopByHop(lowercased, value), !named.contains(lowercased) || Self.isOfTheEdge(lowercased)
            else {
                continue
            }
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isToken), value.utf8.allSatisfy(Self.isFieldByte) else {
                throw OriginError(.requestInvalid, "a header of the request holds bytes that HTTP/1.1 cannot carry")
            }
            fields.add(name: Self.capitalized(lowercased), value: value)
        }
    }

    /// The request's trailers as far as HTTP/1.1 can carry them. What frames, routes or vouches for a request counts in
    /// its head only (RFC 9110 section 6.5.1).
    static func trailers(_ given: HTTPHeaders?) -> HTTPHeaders? {
        guard let given else { return nil }
        var kept = HTTPHeaders()
        for (name, value) in given {
            let lowercased = name.lowercased()
            guard !name.isEmpty, name.utf8.allSatisfy(isToken), value.utf8.allSatisfy(isFieldByte),
                !isHopByHop(lowercased, value), !isOfTheEdge(lowercased),
                !["te", "trailer", "authorization", "cookie"].contains(lowercased)
            else { continue }
            kept.add(name: capitalized(lowercased), value: value)
        }
        return kept.isEmpty ? nil : kept
    }

    /// Tells the origin where the body ends.
    private func frame(_ fields: inout HTTPHeaders, options: OriginRequest) throws(OriginError) {
        let lengths = headers["content-length"]
        guard lengths.count <= 1, lengths.allSatisfy({ Self.length($0) != nil }) else {
            throw OriginError(.requestInvalid, "the content-length of the request is not one number")
        }
        if let length = lengths.first {
            // Without a body only zero is true.
            if hasBody || Self.length(length) == 0 { fields.add(name: "Content-Length", value: length) }
        } else if hasBody {
            guard !options.disableChunkedEncoding else {
                throw OriginError(
                    .lengthRequired,
                    "the request has a body without content-length, and the rule sets disableChunkedEncoding")
            }
            fields.add(name: "Transfer-Encoding", value: "chunked")
        } else if ["POST", "PUT", "PATCH"].contains(method) {
            fields.add(name: "Content-Length", value: "0")
        }
    }

    private static func length(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    /// Says who and where the visitor is: no `Connection` of a visitor takes that away.
    private static func isOfTheEdge(_ name: String) -> Bool {
        name.hasPrefix("cf-") || name.hasPrefix("x-forwarded-") || name == "cdn-loop"
    }

    /// `_` counts as `-`: for a server that makes variables of names (CGI, WSGI) they are the same.
    private static func isHopByHop(_ name: String, _ value: String) -> Bool {
        switch name.replacing("_", with: "-") {
        case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host", "content-length",
            "cf-trace-id":
            true
        case "te": value != "trailers"
        default: name.hasPrefix(":")
        }
    }

    /// RFC 9110 section 5.6.2.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x5E...0x7A, 0x7C, 0x7E, 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E: true
        default: false
        }
    }

    private static func isFieldByte(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F || byte == 0x09
    }

    /// `user-agent` as `User-Agent`: the official connector sends names so, and old origins look for them so.
    private static func capitalized(_ name: String) -> String {
        var upper = true
        return String(
            decoding: name.utf8.map { byte in
                defer { upper = byte == UInt8(ascii: "-") }
                return upper && (0x61...0x7A).contains(byte) ? byte - 0x20 : byte
            }, as: UTF8.self)
    }
}

/// What an HTTP origin answered.
package struct HTTPAnswer: Sendable {
    package var status: Int
    /// Without hop-by-hop fields, except those of an upgrade.
    package var headers: HTTPHeaders

    init(_ head: HTTPResponseHead, upgraded: Bool = false) {
        status = Int(head.status.code)
        headers = head.headers
        let named = upgraded ? [] : headers[canonicalForm: "connection"].map(String.init)
        for name in named where !name.lowercased().hasPrefix("sec-websocket") { headers.remove(name: name) }
        for name in ["keep-alive", "proxy-connection", "transfer-encoding"] { headers.remove(name: name) }
        // Web servers offer `Upgrade: h2c` on ordinary answers; the edge would take that for an accepted WebSocket.
        if !upgraded {
            headers.remove(name: "connection")
            headers.remove(name: "upgrade")
        }
    }
}
