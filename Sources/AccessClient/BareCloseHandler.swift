import NIOCore
import NIOSSL

/// Takes the end of the TCP connection without a TLS goodbye for a normal end: a WebSocket stream needs no more, and peers
/// that just close are common (access-protocol section 1.11). The event for the end follows.
final class BareCloseHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .uncleanShutdown? = error as? NIOSSLError { return }
        context.fireErrorCaught(error)
    }
}
