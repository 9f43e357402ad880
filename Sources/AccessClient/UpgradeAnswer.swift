import Access
import Foundation
import NIOHTTP1
import TunnelConfig

/// What the edge's answer to an upgrade request means, and for a refusal what to do about it (access-protocol section
/// 1.10). Pure.
enum UpgradeAnswer {
    /// Who the request said it comes from.
    enum Bearer: Sendable {
        case nobody
        /// A person, by a token.
        case token
        case serviceToken
    }

    /// Letters of each of its lines that are shown.
    private static let maximumLine = 400

    /// Whether the answer is the complete WebSocket handshake of RFC 6455 section 4.1.
    static func isWebSocket(_ head: HTTPResponseHead, expectedAccept: String) -> Bool {
        head.status == .switchingProtocols
            && head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
            && head.headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
            && head.headers["sec-websocket-accept"] == [expectedAccept]
            // We offered no extension; one that is used all the same would change the frames.
            && head.headers["sec-websocket-extensions"].isEmpty
    }

    /// Why there is no WebSocket.
    ///
    /// - Parameters:
    ///   - body: the first bytes of the body.
    static func refusal(
        _ head: HTTPResponseHead, body: String, hostname: AccessHostname, bearer: Bearer
    ) -> AccessError {
        let host = hostname.authorityText
        let status = "\(host) answered \(head.status.code) \(head.status.reasonPhrase)"
        let lines = lines(of: body, type: head.headers.first(name: "content-type"))
        let text = lines.isEmpty ? "" : " (\"" + lines.joined(separator: " ") + "\")"
        if isLoginRedirect(head, hostname: hostname) { return login(host, bearer) }
        switch head.status.code {
        case 401 where lines.count > 1, 403 where lines.count > 1:
            // The edge says itself what to do.
            return AccessError(.denied, status + ": " + lines.joined(separator: " "))
        case 101:
            return AccessError(
                .notWebSocket,
                "\(host) answered 101 without a valid WebSocket handshake; a proxy on the way may break it")
        case 401, 403:
            return AccessError(.denied, status + text + "; " + deniedRemedy(bearer))
        case 404, 421, 530:
            return AccessError(
                .unavailable,
                status + text
                    + "; no tunnel serves this hostname now: check the spelling, the route, and that the connector runs"
            )
        case 502, 503, 504:
            return AccessError(
                .unavailable,
                status + text
                    + "; connector or origin are down: check `cloudflared tunnel info` and the service behind it")
        case 200..<300:
            return AccessError(
                .notWebSocket,
                status
                    + "; it serves web pages, not a TCP service: its ingress needs a service such as rdp://, ssh:// or tcp://"
            )
        case 300..<400:
            return AccessError(
                .notWebSocket, status + "; it redirects elsewhere: give the final hostname")
        default:
            return AccessError(.notWebSocket, status + text + "; websocket: bad handshake")
        }
    }

    /// A 302 whose path is that of the Access login; the host is not examined.
    static func isLoginRedirect(_ head: HTTPResponseHead, hostname: AccessHostname) -> Bool {
        LoginRedirect.isOne(
            status: Int(head.status.code), location: head.headers.first(name: "location"), target: hostname.target)
    }

    private static func login(_ host: String, _ bearer: Bearer) -> AccessError {
        switch bearer {
        case .nobody:
            AccessError(
                .loginRequired,
                "\(host) is protected by Access and nobody can log in here: give --service-token-id and"
                    + " --service-token-secret (or TUNNEL_SERVICE_TOKEN_ID and TUNNEL_SERVICE_TOKEN_SECRET)")
        case .token:
            AccessError(
                .loginRequired,
                "Access does not take the token for \(host) that it just gave: check the clocks and the edge's log")
        case .serviceToken:
            AccessError(
                .loginRequired,
                "Access did not accept the service token for \(host) and asks for a login: check the token's id, secret and"
                    + " expiry, and that the application has a Service Auth policy for it")
        }
    }

    private static func deniedRemedy(_ bearer: Bearer) -> String {
        switch bearer {
        case .nobody:
            "policy denied: if the application takes service tokens, give --service-token-id and --service-token-secret"
        case .token:
            "policy denied: the login worked, but the application is not open to it; ask whoever runs the application"
        case .serviceToken:
            "policy denied, or the service token is wrong or expired: check --service-token-id and --service-token-secret"
        }
    }

    /// The first two lines of a plain text, each short and printable.
    private static func lines(of body: String, type: String?) -> [String] {
        guard type?.lowercased().hasPrefix("text/plain") ?? false else { return [] }
        return body.split(whereSeparator: \.isNewline).prefix(2).map { line in
            let printable = line.trimmed.unicodeScalars.filter { scalar in
                switch scalar.properties.generalCategory {
                case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
                default: true
                }
            }
            return String(String.UnicodeScalarView(printable.prefix(maximumLine)))
        }.filter { !$0.isEmpty }
    }
}
