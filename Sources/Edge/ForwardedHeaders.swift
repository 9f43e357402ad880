import AccessPolicy
import NIOHTTP1
import TunnelConfig

/// What becomes of headers on their way through the edge (access-protocol section 3.3, steps 1 and 10).
enum ForwardedHeaders {
    /// The headers that go to the connector.
    ///
    /// - Parameters:
    ///   - visitor: the visitor's address, without port.
    ///   - ray: names the request in logs of all hops.
    ///   - admittance: what the connector is told of the visitor; nil: nothing.
    static func request(
        _ request: VisitorRequest, visitor: String, ray: String, admittance: Admittance? = nil
    ) -> HTTPHeaders {
        var dropped = connectionOptions(request.headers)
        if let application = admittance?.application { dropped.formUnion(meantForEdge(application, request)) }
        var headers = HTTPHeaders()
        headers.reserveCapacity(request.headers.count + 4)
        for (name, value) in request.headers {
            let lowercased = name.lowercased()
            guard !isHopByHop(lowercased), !isOurs(lowercased), !isInternal(lowercased),
                !dropped.contains(lowercased)
            else { continue }
            if lowercased == "cookie" {
                if let rest = withoutAccessCookies(value, but: admittance?.assertion) {
                    headers.add(name: lowercased, value: rest)
                }
            } else {
                headers.add(name: lowercased, value: value)
            }
        }
        headers.add(name: "cf-connecting-ip", value: visitor)
        let path = headers["x-forwarded-for"] + [visitor]
        headers.replaceOrAdd(name: "x-forwarded-for", value: path.joined(separator: ", "))
        headers.add(name: "x-forwarded-proto", value: "https")
        headers.add(name: "cf-ray", value: ray)
        if let admittance { vouch(admittance, in: &headers) }
        return headers
    }

    /// Says who was let in, and where a bastion leads, in the edge's words.
    private static func vouch(_ admittance: Admittance, in headers: inout HTTPHeaders) {
        if let destination = admittance.destination {
            // Not as it was written: what was judged is what the connector is to read.
            headers.replaceOrAdd(name: jumpDestination, value: destination.description)
        }
        guard let assertion = admittance.assertion, HeaderSyntax.isValue(assertion) else { return }
        headers.add(name: "cf-access-jwt-assertion", value: assertion)
        if let email = admittance.email, HeaderSyntax.isValue(email) {
            headers.add(name: "cf-access-authenticated-user-email", value: email)
        }
    }

    /// Where a client wants to be led by a bastion (access-protocol section 1.12).
    static let jumpDestination = "cf-access-jump-destination"

    /// Beside the headers that every application keeps to the edge.
    private static func meantForEdge(_ application: AccessApplication, _ request: VisitorRequest) -> Set<String> {
        var names: Set<String> = []
        if let name = application.serviceTokenHeader,
            request.headers[name].contains(where: { PresentedServiceToken(json: $0) != nil })
        {
            names.insert(name.lowercased())
        }
        return names
    }

    /// The headers that go to the visitor; nil when they cannot be sent without harm.
    ///
    /// - Parameter isOwn: whether the edge itself answers, not an origin.
    static func response(_ given: HTTPHeaders, ray: String, isOwn: Bool = false) -> HTTPHeaders? {
        let dropped = connectionOptions(given)
        var headers = HTTPHeaders()
        headers.reserveCapacity(given.count + 1)
        var length: String?
        for (name, value) in given {
            let lowercased = name.lowercased()
            guard HeaderSyntax.isName(lowercased), HeaderSyntax.isValue(value) else { return nil }
            guard !isHopByHop(lowercased), !isInternal(lowercased), !dropped.contains(lowercased),
                lowercased != "cf-ray"
            else { continue }
            // They are the edge's to set: an origin's would lock people out of other hosts, or in as somebody else.
            if !isOwn, lowercased == "set-cookie", isAccessCookie(value) { continue }
            if lowercased == "content-length" {
                guard length == nil || length == value, value.utf8.allSatisfy(HeaderSyntax.isDigit),
                    (1...18).contains(value.utf8.count)
                else { return nil }
                if length != nil { continue }
                length = value
            }
            headers.add(name: name, value: value)
        }
        headers.add(name: "cf-ray", value: ray)
        return headers
    }

    /// The same for a 101: the upgrade itself is ours to say.
    static func upgrade(_ given: HTTPHeaders, ray: String) -> HTTPHeaders? {
        guard var headers = response(given, ray: ray) else { return nil }
        headers.remove(name: "content-length")
        headers.add(name: "connection", value: "Upgrade")
        headers.add(name: "upgrade", value: "websocket")
        return headers
    }

    /// Trailers never carry framing, routing or credentials (RFC 9110 section 6.5.1).
    static func trailers(_ given: HTTPHeaders?) -> HTTPHeaders? {
        guard let given, !given.isEmpty else { return nil }
        var trailers = HTTPHeaders()
        for (name, value) in given {
            let lowercased = name.lowercased()
            guard HeaderSyntax.isName(lowercased), HeaderSyntax.isValue(value), !isHopByHop(lowercased),
                !isInternal(lowercased), lowercased != "content-length", lowercased != "host",
                lowercased != "authorization", lowercased != "set-cookie", !asOriginsRead(lowercased).hasPrefix("cf-")
            else { continue }
            trailers.add(name: lowercased, value: value)
        }
        return trailers.isEmpty ? nil : trailers
    }

    /// 16 random hexadecimal digits.
    static func newRay() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Names the `Connection` header declares as meant for this hop only.
    private static func connectionOptions(_ headers: HTTPHeaders) -> Set<String> {
        var names = Set(headers[canonicalForm: "connection"].map { $0.lowercased() })
        // Whoever lists an end-to-end header here wants it dropped between two parties that both rely on it.
        names.subtract(["host", "cookie", "authorization", "content-length", "content-type", "set-cookie"])
        return names.filter { !$0.hasPrefix("sec-websocket-") && !$0.hasPrefix("cf-") && !$0.hasPrefix("x-forwarded-") }
    }

    private static func isHopByHop(_ name: String) -> Bool {
        switch name {
        case "connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate",
            "transfer-encoding", "upgrade", "http2-settings", "te", "expect":
            true
        default: name.hasPrefix(":")
        }
    }

    /// What connector and edge tell each other; nobody else may (tunnel-protocol section 2.5).
    private static func isInternal(_ name: String) -> Bool {
        name.hasPrefix("cf-cloudflared-") || name.hasPrefix("cf-proxy-") || name.hasPrefix("cf-int-")
    }

    /// Headers only the edge may set towards the connector, and credentials that were meant for the edge.
    private static func isOurs(_ name: String) -> Bool {
        switch asOriginsRead(name) {
        case "cf-connecting-ip", "cf-connecting-ipv6", "cf-ray", "cf-visitor", "cf-ipcountry", "true-client-ip",
            "x-forwarded-proto", "host":
            true
        case let name: name.hasPrefix("cf-access-")
        }
    }

    /// Many origins read `_`, and some every byte that is no letter, like `-` (RFC 3875 section 4.1.18).
    private static func asOriginsRead(_ name: String) -> String {
        func isPlain(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "-") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || HeaderSyntax.isDigit(byte)
        }
        guard !name.utf8.allSatisfy(isPlain) else { return name }
        return String(decoding: name.utf8.map { isPlain($0) ? $0 : UInt8(ascii: "-") }, as: UTF8.self)
    }

    private static func isAccessCookie(_ pair: String) -> Bool {
        let name = pair.drop { $0 == " " || $0 == "\t" }.prefix { $0 != "=" && $0 != ";" }.trimmed
        return ["CF_Authorization", "CF_AppSession", "CF_Session", "CF_Binding"].contains { $0 == name }
    }

    /// A Cookie header without those of Access, but for `assertion`: origins read there who was let in. Nil when none is
    /// left.
    private static func withoutAccessCookies(_ value: String, but assertion: String?) -> String? {
        guard value.contains("CF_") else { return value }
        let kept = value.split(separator: ";").filter { pair in
            guard isAccessCookie(String(pair.trimmed)) else { return true }
            return pair.trimmed == "CF_Authorization=\(assertion ?? "")"
        }
        let joined = kept.joined(separator: ";").drop { $0 == " " }
        return joined.isEmpty ? nil : String(joined)
    }
}
