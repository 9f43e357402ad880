import NIOHTTP1

/// What the gate says to those it does not let in.
extension EdgePage {
    /// Tells programs which application turned them away (access-protocol section 3.5).
    func naming(audience: String, of host: String) -> EdgePage {
        var page = self
        page.headers.add(name: "cf-access-domain", value: host)
        page.headers.add(name: "cf-access-aud", value: audience)
        return page
    }

    /// - Parameter user: who has logged in; nil: nobody, and no login would help.
    static func denied(_ host: String, user: String?) -> EdgePage {
        EdgePage(
            status: 403, message: "\(user ?? "This visitor") may not enter \(host).",
            remedy: user == nil
                ? "Ask whoever runs it."
                : "Ask whoever runs it, or log out at https://\(host)/cdn-cgi/access/logout and log in as somebody else."
        )
    }

    /// For scripts of a page, which cannot follow a login.
    static func loginRequired(_ host: String) -> EdgePage {
        EdgePage(
            status: 401, message: "The edge lets only those who have logged in to \(host).",
            remedy: "Load the page again to log in.", headers: ["www-authenticate": "Cloudflare-Access"])
    }

    static func tooManyFailures() -> EdgePage {
        EdgePage(
            status: 429, message: "Too many wrong service tokens came from this address.",
            remedy: "Correct the id and secret, then try again in a minute.", retryAfter: 60)
    }

    static func unsigned(_ host: String) -> EdgePage {
        EdgePage(
            status: 503, message: "The edge cannot sign what tells \(host) who is let in, so it lets nobody pass.",
            remedy: "Look at the log of cloudflared-edge: its signing keys cannot be used.", retryAfter: 5)
    }

    static func withdrawn(_ host: String) -> EdgePage {
        EdgePage(
            status: 403, message: "Access to \(host) was withdrawn before the answer came.", remedy: "Log in again.")
    }

    static func destinationRefused(_ host: String, reason: String) -> EdgePage {
        EdgePage(
            status: 403, message: "The edge does not let \(host) lead there: \(reason).",
            remedy: "Ask whoever runs it to list the destination, or check `cloudflared access … --destination`.")
    }

    static func notABastion(_ host: String) -> EdgePage {
        EdgePage(
            status: 403, message: "The edge does not let \(host) lead anywhere: it is not a bastion.",
            remedy: "Leave out --destination, or make it one on the edge: `cloudflared-edge access app add \(host) "
                + "--type bastion --destination HOST:PORT …`.")
    }

    static func accessBody(limit: Int) -> EdgePage {
        EdgePage(status: 413, message: "Access takes bodies of at most \(limit) bytes.", remedy: "Send less.")
    }

    static func accessTimeout() -> EdgePage {
        EdgePage(status: 504, message: "Access did not finish in time.", remedy: "Try again.", retryAfter: 5)
    }

    static func ownAnswerBroken() -> EdgePage {
        EdgePage(
            status: 500, message: "The edge made an answer that cannot be sent.",
            remedy: "This is a defect of cloudflared-edge; please report it with the ray.")
    }
}
