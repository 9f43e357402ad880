import NIOCore

/// Speaks SOCKS5 on a fresh connection to a proxy, then leaves.
final class SOCKS5Handler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var handshake: SOCKS5Handshake
    private var buffer = ByteBuffer()
    private var isOver = false
    private let onOutcome: (HTTPExchange.Outcome) -> Void

    init(_ handshake: SOCKS5Handshake, onOutcome: @escaping (HTTPExchange.Outcome) -> Void) {
        self.handshake = handshake
        self.onOutcome = onOutcome
    }

    func handlerAdded(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(handshake.greeting), promise: nil)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        buffer.writeImmutableBuffer(unwrapInboundIn(data))
        do throws(SOCKS5Handshake.Refusal) {
            while !isOver {
                switch try handshake.received(&buffer) {
                case .send(let bytes): context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
                case .none: return
                case .succeed:
                    isOver = true
                    context.pipeline.syncOperations.removeHandler(self, promise: nil)
                    onOutcome(.accepted)
                }
            }
        } catch {
            end(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isOver { context.fireChannelReadComplete() } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { end(HTTPExchange.EndedEarly()) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(HTTPExchange.EndedEarly())
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(error)
    }

    private func end(_ error: any Error) {
        guard !isOver else { return }
        isOver = true
        onOutcome(.failed(error))
    }
}
