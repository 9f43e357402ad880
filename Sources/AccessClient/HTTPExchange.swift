import NIOCore
import NIOHTTP1
import NIOSSL

/// One HTTP/1.1 request without a body and its answer, on a channel that becomes something else when the answer is the one
/// hoped for: a CONNECT tunnel or a WebSocket.
///
/// Sits behind encoder and decoder, which it removes together with itself; bytes that came behind the answer's head
/// reach the handlers behind it. The head is bounded by the decoder's limits, the body of a
/// refusal by `UpgradeAnswer.maximumBody`.
final class HTTPExchange: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// How it went.
    enum Outcome {
        /// The hoped-for answer; the channel belongs to the next handlers.
        case accepted
        /// Another answer, with the first bytes of its body.
        case refused(HTTPResponseHead, body: String)
        /// No answer.
        case failed(any Error)
    }

    /// The peer ended the connection before the answer was complete.
    struct EndedEarly: Error, CustomStringConvertible {
        var description: String { "the connection was closed before the answer came" }
    }

    private let request: HTTPRequestHead
    private let isHopedFor: (HTTPResponseHead) -> Bool
    private let onSent: () -> Void
    private let onAccepted: () throws -> Void
    private let onOutcome: (Outcome) -> Void
    private let encoder: HTTPRequestEncoder
    private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    private var answer: HTTPResponseHead?
    private var isAccepted = false
    private var body = ByteBuffer()
    private var isOver = false

    private init(
        _ request: HTTPRequestHead, isHopedFor: @escaping (HTTPResponseHead) -> Bool, onSent: @escaping () -> Void,
        onAccepted: @escaping () throws -> Void, onOutcome: @escaping (Outcome) -> Void
    ) {
        self.request = request
        self.isHopedFor = isHopedFor
        self.onSent = onSent
        self.onAccepted = onAccepted
        self.onOutcome = onOutcome
        encoder = HTTPRequestEncoder()
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = 64 << 10
        limits.maxHeaderFieldSize = 64 << 10
        decoder = ByteToMessageHandler(
            HTTPResponseDecoder(
                leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .drop, limitConfiguration: limits),
            maximumBufferSize: 128 << 10)
    }

    /// Puts the exchange at the tail of the pipeline and sends the request. Call on the channel's event loop.
    ///
    /// - Parameters:
    ///   - isHopedFor: whether this answer turns the channel into something else.
    ///   - onSent: the request left, so what is below (TLS) is up.
    ///   - onAccepted: may add a handler at the tail that takes what came behind the answer, but not write: encoder and
    ///     decoder still stand before it.
    ///   - onOutcome: called once.
    static func start(
        _ request: HTTPRequestHead, on channel: any Channel, isHopedFor: @escaping (HTTPResponseHead) -> Bool,
        onSent: @escaping () -> Void, onAccepted: @escaping () throws -> Void,
        onOutcome: @escaping (Outcome) -> Void
    ) throws {
        let exchange = HTTPExchange(
            request, isHopedFor: isHopedFor, onSent: onSent, onAccepted: onAccepted, onOutcome: onOutcome)
        try channel.pipeline.syncOperations.addHandlers(exchange.encoder, exchange.decoder, exchange)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenSuccess { self.onSent() }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: sent)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            answer = head
            isAccepted = isHopedFor(head)
        case .body(let bytes):
            body.writeImmutableBuffer(bytes)
            if body.readableBytes >= UpgradeAnswer.maximumBody { refuse() }
        case .end:
            // The decoder's last word, only now it may go.
            if isAccepted { accept(context) } else { refuse() }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isOver { context.fireChannelReadComplete() } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event, !isOver {
            ended(EndedEarly())
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended(EndedEarly())
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isOver { context.fireErrorCaught(error) } else { ended(error) }
    }

    private func accept(_ context: ChannelHandlerContext) {
        isOver = true
        do {
            try onAccepted()
        } catch {
            onOutcome(.failed(error))
            return
        }
        let pipeline = context.pipeline.syncOperations
        pipeline.removeHandler(self, promise: nil)
        pipeline.removeHandler(encoder, promise: nil)
        // The decoder hands on what it holds while it leaves.
        let left = context.eventLoop.makePromise(of: Void.self)
        left.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.onOutcome(.accepted)
            case .failure(let error): self.onOutcome(.failed(error))
            }
        }
        pipeline.removeHandler(decoder, promise: left)
    }

    private func refuse() {
        guard !isOver, let answer else { return }
        isOver = true
        let text = body.getString(at: 0, length: min(body.readableBytes, UpgradeAnswer.maximumBody)) ?? ""
        onOutcome(.refused(answer, body: text))
    }

    /// A refusal whose body was cut short is a refusal all the same.
    private func ended(_ error: any Error) {
        guard !isOver else { return }
        if answer != nil, !isAccepted {
            refuse()
        } else {
            isOver = true
            onOutcome(.failed(error))
        }
    }
}

/// Takes the end of the TCP connection without a TLS goodbye for a normal end: a WebSocket stream needs no more, and peers
/// that just close are common (access-protocol section 1.11). The event for the end follows.
final class BareCloseHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .uncleanShutdown? = error as? NIOSSLError { return }
        context.fireErrorCaught(error)
    }
}

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
