package import NIOCore
package import NIOHTTP1

/// One HTTP/1.1 request without a body and its answer, on a channel that becomes something else when the answer is the one
/// hoped for: a CONNECT tunnel or a WebSocket.
///
/// Sits behind encoder and decoder, which it removes together with itself; bytes that came behind the answer's head
/// reach the handlers behind it. The head is bounded by the decoder's limits, the body of a
/// refusal by `maximumBody`.
package final class HTTPExchange: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = HTTPClientResponsePart
    package typealias OutboundOut = HTTPClientRequestPart

    /// Bytes of a refusal that are read, and may be quoted.
    package static let maximumBody = 1024

    /// How it went.
    package enum Outcome {
        /// The hoped-for answer; the channel belongs to the next handlers.
        case accepted
        /// Another answer, with the first bytes of its body.
        case refused(HTTPResponseHead, body: String)
        /// No answer.
        case failed(any Error)
    }

    /// The peer ended the connection before the answer was complete.
    package struct EndedEarly: Error, CustomStringConvertible {
        package var description: String { "the connection was closed before the answer came" }
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
    package static func start(
        _ request: HTTPRequestHead, on channel: any Channel, isHopedFor: @escaping (HTTPResponseHead) -> Bool,
        onSent: @escaping () -> Void, onAccepted: @escaping () throws -> Void,
        onOutcome: @escaping (Outcome) -> Void
    ) throws {
        let exchange = HTTPExchange(
            request, isHopedFor: isHopedFor, onSent: onSent, onAccepted: onAccepted, onOutcome: onOutcome)
        try channel.pipeline.syncOperations.addHandlers(exchange.encoder, exchange.decoder, exchange)
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenSuccess { self.onSent() }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: sent)
        context.read()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            answer = head
            isAccepted = isHopedFor(head)
        case .body(let bytes):
            body.writeImmutableBuffer(bytes)
            if body.readableBytes >= Self.maximumBody { refuse() }
        case .end:
            // The decoder's last word, only now it may go.
            if isAccepted { accept(context) } else { refuse() }
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        if isOver { context.fireChannelReadComplete() } else { context.read() }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event, !isOver {
            ended(EndedEarly())
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        ended(EndedEarly())
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
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
        let text = body.getString(at: 0, length: min(body.readableBytes, Self.maximumBody)) ?? ""
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
