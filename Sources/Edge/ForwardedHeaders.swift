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
        if let name = serviceTokenHeader(admittance?.application, request) { dropped.insert(name) }
        var headers = HTTPHeaders()
        headers.reserveCapacity(request.headers.count + 4)
        for (name, value) in request.headers {
            let lowercased = name.lowercased()
            guard !isHeldBack(lowercased), !dropped.contains(lowercased) else { continue }
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
            headers.add(name: jumpDestination, value: destination.description)
        }
        guard let assertion = admittance.assertion, HeaderSyntax.isValue(assertion) else { return }
        headers.add(name: "cf-access-jwt-assertion", value: assertion)
        if let email = admittance.email, HeaderSyntax.isValue(email) {
            headers.add(name: "cf-access-authenticated-user-email", value: email)
        }
    }

    /// Where a client wants to be led by a bastion (access-protocol section 1.12).
    static let jumpDestination = "cf-access-jump-destination"

    /// Whether a destination is asked for, however the header is spelled.
    static func namesDestination(_ headers: HTTPHeaders) -> Bool {
        headers.contains { folded($0.name.lowercased()) == jumpDestination }
    }

    /// The application's own header for a service token, when it carries one.
    private static func serviceTokenHeader(_ application: AccessApplication?, _ request: VisitorRequest) -> String? {
        guard let name = application?.serviceTokenHeader,
            request.headers[name].contains(where: { PresentedServiceToken(json: $0) != nil })
        else { return nil }
        return name.lowercased()
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
            let plain = folded(lowercased)
            guard HeaderSyntax.isName(lowercased), HeaderSyntax.isValue(value), !isHeldBack(lowercased),
                !["content-length", "x-forwarded-for", "authorization", "cookie", "set-cookie"].contains(plain),
                !plain.hasPrefix("cf-")
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

    /// A name in lower case as the most lenient origin reads it: many take `_` and `-` alike, some any other sign too.
    private static func folded(_ name: String) -> String {
        let isPlain = name.utf8.allSatisfy { HeaderSyntax.isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
        guard !isPlain else { return name }
        return String(
            decoding: name.utf8.map { HeaderSyntax.isLetterOrDigit($0) ? $0 : UInt8(ascii: "-") }, as: UTF8.self)
    }

    /// What never goes on to the connector, however it is spelled.
    private static func isHeldBack(_ name: String) -> Bool {
        let plain = folded(name)
        if isHopByHop(plain) || isInternal(plain) || isOurs(plain) { return true }
        // By its own name each of these passes; by another it would contradict the one that was looked at.
        return plain != name && (plain == "content-length" || plain == "x-forwarded-for")
    }

    /// Headers only the edge may set towards the connector, and credentials that were meant for the edge.
    private static func isOurs(_ name: String) -> Bool {
        if name.hasPrefix("cf-access-") { return true }
        return switch name {
        case "cf-connecting-ip", "cf-connecting-ipv6", "cf-ray", "cf-visitor", "cf-ipcountry", "true-client-ip",
            "x-forwarded-proto", "host":
            true
        default: false
        }
    }

    private static func isAccessCookie(_ pair: String) -> Bool {
        let name = pair.drop { $0 == " " || $0 == "\t" }.prefix { $0 != "=" && $0 != ";" }.trimmed
        return ["CF_Authorization", "CF_AppSession", "CF_Session", "CF_Binding"].contains { $0 == name }
    }

    /// A Cookie header without those that belong to Access alone; nil when none is left. A token that is not the one the
    /// visitor was let in by would tell the origin of somebody else.
    ///
    /// - Parameter assertion: by which the visitor was let in.
    private static func withoutAccessCookies(_ value: String, but assertion: String?) -> String? {
        let pairs = value.split(separator: ";")
        let kept = pairs.filter { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(\.trimmed)
            switch folded(parts[0].lowercased()) {
            case "cf-binding", "cf-appsession", "cf-session": return false
            case "cf-authorization": return parts[0] == "CF_Authorization" && parts.last == assertion?[...]
            // Some origins end a cookie at a blank, too: what they would read there was not looked at here.
            default: return !pair.contains("CF_Authorization=")
            }
        }
        guard kept.count < pairs.count else { return value }
        let joined = kept.joined(separator: ";").drop { $0 == " " }
        return joined.isEmpty ? nil : String(joined)
    }
}
