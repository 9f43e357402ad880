import ByteStream
import EdgeTransport
import NIOCore
import OriginTransport
import TunnelConfig
import TunnelWire

/// SOCKS5 inside the stream (tunnel-protocol section 6.5).
extension StreamProxy {
    /// `socks-proxy`: the client names its destination inside the stream, and the rule's `ipRules` judge it.
    func serveSOCKS(_ visit: Visit, _ rule: IngressRule) {
        guard visit.stream.request.kind == .webSocket else {
            return visit.fail(.notForBrowsers(rule.service, visit.stream.request))
        }
        let messages = accept(visit)
        SOCKS5Client.listen(on: messages, within: settings.socksPatience) { client, destination in
            let dial = dialer.openPipe(
                toSOCKS: destination, options: rule.originRequest, on: visit.stream.eventLoop)
            connect(
                visit, dial,
                failed: { error in
                    visit.log(error)
                    client.refuse(error)
                },
                then: { pipe in
                    client.accept(pipe)
                    visit.join(messages, pipe, limits: settings.streamLimits)
                })
        }
    }

    /// `proxyType: socks`: the client speaks SOCKS5, but whatever it asks for, the rule's own service is where it gets.
    func joinSOCKS(_ visit: Visit, _ messages: WebSocketPipe, _ pipe: ChannelPipe) {
        visit.whenLeft { pipe.abort() }
        SOCKS5Client.listen(on: messages, within: settings.socksPatience) { client, _ in
            guard !visit.isLeft else { return }
            client.accept(pipe)
            visit.join(messages, pipe, limits: settings.streamLimits)
        }
    }
}
