import FoundationEssentials
package import NIOCore
import NIOHTTP1

/// Turns a fresh connection to a proxy into a way to a server behind it.
package enum ProxyTunnel {
    /// Call on the channel's event loop; nothing may have been read from the channel. Whoever calls sets the deadline.
    ///
    /// - Parameters:
    ///   - host: a name, which the proxy resolves, or an address.
    ///   - onOutcome: called once; after `accepted` the channel belongs to the next handlers.
    package static func open(
        _ proxy: ProxyServer, to host: String, port: Int, userAgent: String, on channel: any Channel,
        onOutcome: @escaping (HTTPExchange.Outcome) -> Void
    ) throws {
        switch proxy.kind {
        case .http:
            let target = "\(host.contains(":") ? "[\(host)]" : host):\(port)"
            var headers: HTTPHeaders = ["Host": target, "User-Agent": userAgent]
            if let login = proxy.login {
                let credentials = Data("\(login.user):\(login.password)".utf8).base64EncodedString()
                headers.add(name: "Proxy-Authorization", value: "Basic \(credentials)")
            }
            try HTTPExchange.start(
                HTTPRequestHead(version: .http1_1, method: .CONNECT, uri: target, headers: headers), on: channel,
                isHopedFor: { (200..<300).contains($0.status.code) }, onSent: {}, onAccepted: {}, onOutcome: onOutcome)
        case .socks5:
            let handshake = SOCKS5Handshake(
                host: host, port: UInt16(truncatingIfNeeded: port), user: proxy.login?.user,
                password: proxy.login?.password)
            try channel.pipeline.syncOperations.addHandler(SOCKS5Handler(handshake, onOutcome: onOutcome))
        }
    }
}
