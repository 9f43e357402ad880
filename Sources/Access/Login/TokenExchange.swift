import NIOHTTP1

/// Gets an application's token for that of the team, without a browser: walks the redirects of a login and shows the
/// team's token at the team's own login only (access-protocol section 2.8).
struct TokenExchange: Sendable {
    /// Why it did not work; a browser may then.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    private static let mostHops = 10
    private static let timeout = Duration.seconds(7)
    private static let loginPath = "/cdn-cgi/access/login"
    private static let authorizedPath = "/cdn-cgi/access/authorized"

    let application: ProtectedApplication
    let transport: any LoginTransport
    let userAgent: String

    /// - Throws: `Refusal`, an error of the transport, `CancellationError`.
    func token(for teamToken: AccessToken) async throws -> AccessToken {
        let team = WebURL(application.team, path: "/")
        var url = application.url
        var session: String?
        for _ in 0..<Self.mostHops {
            let isAtApplication = url.isSamePlace(as: application.url)
            var headers: HTTPHeaders = ["User-Agent": userAgent]
            if url.isSamePlace(as: team), url.path.hasPrefix(Self.loginPath) {
                headers.add(name: "Cookie", value: "CF_Authorization=\(teamToken.text)")
            } else if isAtApplication, url.path.hasPrefix(Self.authorizedPath), let session {
                headers.add(name: "Cookie", value: "CF_AppSession=\(session)")
            }
            let answer = try await transport.send(
                WebRequest(.HEAD, url, headers: headers, timeout: Self.timeout, longestBody: 0))
            let cookies = answer.headers["set-cookie"]
            if isAtApplication {
                session = Self.cookie("CF_AppSession", in: cookies) ?? session
                if url.path.hasPrefix(Self.authorizedPath) { return try token(in: cookies, answer.status) }
            }
            guard (300..<400).contains(answer.status), let location = answer.headers.first(name: "location") else {
                throw Refusal(description: "\(url.place) answered \(answer.status)")
            }
            guard let next = WebURL(location, relativeTo: url),
                next.isSamePlace(as: application.url) || next.isSamePlace(as: team)
            else { throw Refusal(description: "\(url.place) leads away from application and team: a login is needed") }
            url = next
        }
        throw Refusal(description: "\(application.url.place) redirects in circles")
    }

    private func token(in cookies: [String], _ status: Int) throws -> AccessToken {
        guard let text = Self.cookie("CF_Authorization", in: cookies), let token = AccessToken(text),
            application.isNamed(by: token)
        else { throw Refusal(description: "\(application.url.authority) answered \(status) without a token") }
        return token
    }

    private static func cookie(_ name: String, in headers: [String]) -> String? {
        for header in headers {
            let pair = header.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, pair[0].allSatisfy({ !$0.isWhitespace }), pair[0] == name else { continue }
            let value = pair[1].utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }
            if value { return String(pair[1]) }
        }
        return nil
    }
}
