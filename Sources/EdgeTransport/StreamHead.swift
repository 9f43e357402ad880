package import NIOHTTP1
package import TunnelWire

/// What the edge asks when it opens a stream towards the connector (tunnel-protocol section 2.2, 2.4).
package struct StreamRequest: Sendable {
    package var kind: StreamKind
    /// The visitor's method, upper case.
    package var method: String
    /// Path and query as the visitor sent them.
    package var path: String
    /// The visitor's host, or `IP:port` for a TCP stream.
    package var authority: String
    /// The visitor's headers, without the protocol's own and without hop-by-hop ones.
    package var headers: HTTPHeaders
    /// False when the request ends with its head.
    package var hasBody: Bool

    package init(
        kind: StreamKind, method: String = "GET", path: String = "/", authority: String, headers: HTTPHeaders = [:],
        hasBody: Bool = true
    ) {
        self.kind = kind
        self.method = method
        self.path = path
        self.authority = authority
        self.headers = headers
        self.hasBody = hasBody
    }
}

/// What the connector answers (tunnel-protocol section 2.5).
package struct StreamResponse: Sendable {
    /// The origin's status; 101 travels as 200 and is told by `isUpgrade`.
    package var status: Int
    /// The origin's headers, rebuilt from the header blob.
    package var headers: HTTPHeaders
    /// Who made the status.
    package var source: ResponseMeta

    package init(status: Int, headers: HTTPHeaders = [:], source: ResponseMeta = .origin) {
        self.status = status
        self.headers = headers
        self.source = source
    }

    /// Whether an upgrade request was accepted (section 2.7).
    package var isUpgrade: Bool {
        (200..<300).contains(status)
            && (headers.contains(name: "sec-websocket-accept") || headers.contains(name: "upgrade"))
    }
}
