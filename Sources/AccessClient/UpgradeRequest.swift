import Access
import ByteStream
import NIOHTTP1
import ServiceHost
import TunnelConfig

/// The request that asks the edge for a WebSocket (access-protocol sections 1.7 and 1.8). A value; the key comes from
/// outside.
struct UpgradeRequest: Sendable {
    let head: HTTPRequestHead
    /// Without those of the user's `-H`.
    private let ownHeaders: HTTPHeaders
    /// What `Sec-WebSocket-Accept` has to be.
    let expectedAccept: String

    /// - Parameters:
    ///   - key: see `WebSocketHandshake.makeKey`.
    ///   - token: of the person; never on the first request to a host.
    init(_ configuration: ForwarderConfiguration, key: String, token: AccessToken? = nil) {
        var own: HTTPHeaders = [
            "Host": configuration.hostname.authorityText,
            "User-Agent": Version.userAgent,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
        ]
        if let id = configuration.serviceTokenID { own.add(name: "Cf-Access-Client-Id", value: id) }
        if let secret = configuration.serviceTokenSecret {
            own.add(name: "Cf-Access-Client-Secret", value: secret.exposed)
        }
        if let destination = configuration.destination {
            own.add(name: "Cf-Access-Jump-Destination", value: destination.description)
        }
        if let token { own.add(name: "Cf-Access-Token", value: token.text) }
        // What the flags say goes first; a repeated name of the user's is sent every time.
        let extra = configuration.headers.filter { !own.contains(name: $0.name) && !Self.isReserved($0.name) }
        ownHeaders = own
        own.add(contentsOf: extra)
        head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: Self.escaped(configuration.hostname.target), headers: own)
        expectedAccept = WebSocketHandshake.accept(forKey: key)
    }

    /// Who the request says it comes from.
    var bearer: UpgradeAnswer.Bearer {
        if head.headers.contains(name: "cf-access-client-id") { return .serviceToken }
        return head.headers.contains(name: "cf-access-token") ? .token : .nobody
    }

    /// The headers for a log. What the user gave by `-H` may hold a secret under any name, so its values are masked.
    var loggedHeaders: String {
        head.headers.map { name, value in
            let isShown = ownHeaders.contains(name: name) && !name.lowercased().hasPrefix("cf-access-")
            return "\(name): \(isShown ? value : Secret.mask)"
        }.joined(separator: ", ")
    }

    /// What decides about the framing of request and connection is ours alone.
    private static func isReserved(_ name: String) -> Bool {
        [
            "connection", "upgrade", "host", "content-length", "transfer-encoding", "sec-websocket-key",
            "sec-websocket-version", "sec-websocket-extensions",
        ].contains(name.lowercased())
    }

    /// A request target in ASCII: a path typed with other letters is sent percent-encoded.
    private static func escaped(_ target: String) -> String {
        target.utf8.allSatisfy { $0 < 0x80 }
            ? target
            : target.utf8.map { $0 < 0x80 ? String(UnicodeScalar($0)) : "%" + String($0, radix: 16, uppercase: true) }
                .joined()
    }
}
