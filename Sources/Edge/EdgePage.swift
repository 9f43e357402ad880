import NIOCore
import NIOHTTP1

/// An answer the edge gives itself: which hop stopped the request, and what to do next.
struct EdgePage: Sendable, Equatable {
    var status: Int
    /// What happened.
    let message: String
    /// What to do next.
    let remedy: String
    /// Seconds after which trying again makes sense.
    var retryAfter: Int?
    /// Beside those that every page has.
    var headers: HTTPHeaders = [:]

    static func refused(_ refusal: VisitorRequest.Refusal) -> EdgePage {
        EdgePage(
            status: refusal.status, message: "The edge refused the request: \(refusal.reason).", remedy: "Correct it.")
    }

    static func closed(_ host: String) -> EdgePage {
        EdgePage(
            status: 403, message: "The edge keeps \(host) closed: nobody has opened it.",
            remedy: "Open it on the edge: `cloudflared-edge access app add \(host) --open`, or guard it: "
                + "`cloudflared-edge access app add \(host) --service-token CLIENT_ID`.")
    }

    static func unreadablePath() -> EdgePage {
        EdgePage(
            status: 400, message: "The edge refused the request: its path can be read in more than one way.",
            remedy: "Ask by the plain path.")
    }

    static func tokenMissing(_ host: String) -> EdgePage {
        EdgePage(
            status: 403, message: "The edge lets nobody to \(host) without a service token.",
            remedy: "Send the headers Cf-Access-Client-Id and Cf-Access-Client-Secret "
                + "(`cloudflared access … --service-token-id ID --service-token-secret SECRET`).")
    }

    static func tokenWrong(_ host: String) -> EdgePage {
        EdgePage(
            status: 403, message: "The edge does not accept this service token for \(host).",
            remedy: "Check its id and secret and that it has not expired, or make a new one on the edge: "
                + "`cloudflared-edge access token create`.")
    }

    static func foreignOrigin(_ host: String) -> EdgePage {
        EdgePage(
            status: 403, message: "The edge refuses what pages of another site send to \(host).",
            remedy: "Connect with `cloudflared access`, or from a page of \(host) itself.")
    }

    static func policyUnknown() -> EdgePage {
        EdgePage(
            status: 503, message: "The edge cannot read its access policy, so it lets nobody pass.",
            remedy: "Look at the log of cloudflared-edge; its database may be damaged or full.", retryAfter: 5)
    }

    static func unknownHost(_ host: String) -> EdgePage {
        EdgePage(
            status: 404, message: "The edge has no route for \(host).",
            remedy: "Lead it to a tunnel: `cloudflared-edge route add \(host) TUNNEL` or "
                + "`cloudflared tunnel route dns TUNNEL \(host)`.")
    }

    static func noConnector(_ host: String, tunnel: String) -> EdgePage {
        EdgePage(
            status: 530, message: "The edge has no connector for \(host): tunnel \(tunnel) is not running.",
            remedy: "Start it next to the origin: `cloudflared tunnel run \(tunnel)`.", retryAfter: 5)
    }

    static func connectorsBusy(_ host: String) -> EdgePage {
        EdgePage(
            status: 503, message: "All connectors of \(host) are at their limit of streams.",
            remedy: "Try again in a moment, or run one more connector for the tunnel.", retryAfter: 1)
    }

    static func originUnreachable(_ host: String) -> EdgePage {
        EdgePage(
            status: 502, message: "The connector of \(host) could not reach the origin.",
            remedy:
                "Check that the service behind the connector runs; the connector's log names the address and the cause."
        )
    }

    static func flowRateLimited(_ host: String) -> EdgePage {
        EdgePage(
            status: 503, message: "The connector of \(host) has reached its limit of flows.",
            remedy: "Try again in a moment, or raise the connector's limit.", retryAfter: 1)
    }

    static func badAnswer(_ host: String) -> EdgePage {
        EdgePage(
            status: 502, message: "The connector of \(host) sent an answer that cannot be passed on.",
            remedy: "The origin's headers may be malformed; the log of cloudflared-edge says more.")
    }

    /// - Parameter reason: one of our own sentences, nothing the connector wrote.
    static func noAnswer(_ host: String, reason: String) -> EdgePage {
        EdgePage(
            status: 502, message: "The connector of \(host) gave no answer: \(reason).",
            remedy: "Try again; the logs of the connector and of cloudflared-edge say more.", retryAfter: 1)
    }

    static func timeout(_ host: String, seconds: Int64) -> EdgePage {
        EdgePage(
            status: 504, message: "The origin of \(host) did not answer within \(seconds) s.",
            remedy: "Check the service behind the connector.")
    }

    static func misdirected(_ host: String, serverName: String) -> EdgePage {
        EdgePage(
            status: 421, message: "The TLS connection was made for \(serverName), the request is for \(host).",
            remedy: "Open a connection of its own for \(host).")
    }

    static func overloaded() -> EdgePage {
        EdgePage(
            status: 503, message: "The edge is at its limit.", remedy: "Try again in a moment.", retryAfter: 1)
    }

    static func accountBody(limit: Int) -> EdgePage {
        EdgePage(
            status: 413, message: "The account API takes bodies of at most \(limit) bytes.", remedy: "Send less.")
    }

    static func interrupted(_ host: String) -> EdgePage {
        EdgePage(
            status: 502, message: "The link to the connector of \(host) broke before the answer.",
            remedy: "The request may have been carried out: look before you send it again.")
    }

    static func accountTimeout() -> EdgePage {
        EdgePage(status: 504, message: "The account API did not finish in time.", remedy: "Try again.", retryAfter: 5)
    }

    // MARK: Rendering

    /// Headers and body: HTML for a browser, else plain text.
    func render(asHTML: Bool, ray: String?) -> (headers: HTTPHeaders, body: ByteBuffer) {
        let last = ray.map { "\nRay \($0)\n" } ?? ""
        let text: String
        if asHTML {
            text =
                "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
                + "<meta name=\"viewport\" content=\"width=device-width\">"
                + "<meta name=\"color-scheme\" content=\"light dark\"><title>Error \(status)</title>"
                + "<h1>Error \(status)</h1><p>\(Self.escaped(message))</p><p>\(Self.escaped(remedy))</p>"
                + "<small>\(last)</small></html>\n"
        } else {
            text = "Error \(status). \(message)\n\(remedy)\n" + last
        }
        let body = ByteBuffer(string: text)
        var headers: HTTPHeaders = [
            "content-type": asHTML ? "text/html; charset=utf-8" : "text/plain; charset=utf-8",
            "content-length": String(body.readableBytes),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'",
        ]
        headers.add(contentsOf: self.headers)
        if let ray { headers.add(name: "cf-ray", value: ray) }
        if let retryAfter { headers.add(name: "retry-after", value: String(retryAfter)) }
        return (headers, body)
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.append(character)
            }
        }
        return result
    }
}
