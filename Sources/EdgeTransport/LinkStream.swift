package import ByteStream
package import NIOCore
package import NIOHTTP1
package import NIOHTTP2
import TunnelWire

/// One stream of an HTTP/2 link: a head each way, then a body as a `BytePipe`.
///
/// At the edge it is made by `HTTP2Link.openStream` and answers through the closure given there. At the connector it
/// arrives with its `request` and is answered by `respond` or `refuse`. It sits in the pipeline of its stream channel and
/// lives as long as that; what arrives before anyone reads is held within the stream's window.
// Safety: confined to the link's event loop by the contract of BytePipe; references only cross loops.
package final class LinkStream: ChannelInboundHandler, BytePipe, @unchecked Sendable {
    package typealias InboundIn = HTTP2Frame.FramePayload
    package typealias OutboundOut = HTTP2Frame.FramePayload

    /// What the other side asked, or we did.
    package private(set) var request: StreamRequest
    package let eventLoop: any EventLoop

    private let inbox = PipeInbox()
    private var context: ChannelHandlerContext?
    private var head: HeadState
    /// Whether this end opened the stream, as the edge does.
    private let opened: Bool
    private let headLimit: () -> HeadLimit
    /// Whether the peer has announced that it takes no more streams.
    private let isLeaving: () -> Bool
    private var outputFinished = false
    /// Our END_STREAM has left, so that a reset cannot overtake it any more.
    private var endSent = false
    private var inputDismissed = false
    /// What was asked of a stream that the link is still opening.
    private var whileOpening = WhileOpening.nothing

    private enum WhileOpening {
        case nothing
        case finish(HTTPHeaders?)
        case abort
    }

    private enum HeadState {
        /// Edge: the answer is still to come.
        case awaitingResponse((Result<StreamResponse, LinkError>) -> Void)
        /// Connector: the request is still to come.
        case awaitingRequest((LinkStream) -> Void)
        /// Connector: the request came, we have not answered.
        case unanswered
        /// Heads are through.
        case done
    }

    /// The edge's end.
    init(
        opening request: StreamRequest, on eventLoop: any EventLoop, isLeaving: @escaping () -> Bool = { false },
        answered: @escaping (Result<StreamResponse, LinkError>) -> Void
    ) {
        self.request = request
        self.eventLoop = eventLoop
        opened = true
        // Checked by the link before it opens the stream.
        headLimit = { HeadLimit() }
        self.isLeaving = isLeaving
        head = .awaitingResponse(answered)
        outputFinished = !request.hasBody
    }

    /// The connector's end.
    init(
        acceptingOn eventLoop: any EventLoop, headLimit: @escaping () -> HeadLimit,
        arrived: @escaping (LinkStream) -> Void
    ) {
        request = StreamRequest(kind: .http, authority: "")
        self.eventLoop = eventLoop
        opened = false
        self.headLimit = headLimit
        isLeaving = { false }
        head = .awaitingRequest(arrived)
    }

    // MARK: Heads

    /// Sends the response head. The body follows by `write` and `finish`. Connector's end, once. A head too large for the
    /// edge becomes a refusal, and what is written after it is dropped.
    package func respond(_ response: StreamResponse) {
        guard case .unanswered = head else { return }
        let fields = StreamHeadCoding.fields(of: response, for: request.kind)
        guard StreamHeadCoding.fits(fields, headLimit()) else { return refuse() }
        head = .done
        context?.writeAndFlush(wrapOutboundOut(.headers(.init(headers: fields))), promise: nil)
    }

    /// Answers that the connector could not serve the stream: 502, made by us (tunnel-protocol section 2.6).
    package func refuse(status: Int = 502, flowRateLimited: Bool = false) {
        guard case .unanswered = head, let context else { return }
        head = .done
        outputFinished = true
        let fields = StreamHeadCoding.refusal(status: status, flowRateLimited: flowRateLimited)
        context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: fields, endStream: true))), promise: nil)
        endSent = true
        // Nothing may go on behind a refusal, in either direction.
        let inputOpen = !inbox.isFinished && !inbox.isClosed
        closed(PipeError.aborted)
        if inputOpen { context.writeAndFlush(wrapOutboundOut(.rstStream(.noError)), promise: nil) }
    }

    /// Hands a stream back that nothing was done for, so that the edge opens it on another link. Connector's end.
    package func decline() {
        guard case .unanswered = head, let context else { return }
        head = .done
        outputFinished = true
        context.writeAndFlush(wrapOutboundOut(.rstStream(.refusedStream)), promise: nil)
        closed(PipeError.aborted)
    }

    /// Whatever still comes in is not wanted: once our own direction has ended, a reset says so. The connector's is without
    /// error, as the official one's (tunnel-protocol section 2.3); the edge cancels for a visitor that left. Call when the
    /// answer does not depend on the rest.
    package func dismissInput() {
        inputDismissed = true
        guard endSent, !inbox.isFinished, !inbox.isClosed else { return }
        let context = context
        closed(opened ? PipeError.aborted : nil)
        context?.writeAndFlush(wrapOutboundOut(.rstStream(opened ? .cancel : .noError)), promise: nil)
    }

    /// Succeeds when the stream is over and its channel closed. Connector's end, where the stream is open from the start.
    package var ended: EventLoopFuture<Void> {
        context?.channel.closeFuture ?? eventLoop.makeSucceededVoidFuture()
    }

    // MARK: BytePipe

    /// False until the stream is open, so that nothing is written before its head.
    package var isWritable: Bool { context?.channel.isWritable ?? false }

    package func attach(_ sink: any BytePipeSink) {
        inbox.attach(sink)
    }

    package func read() {
        if inbox.read() { context?.read() }
    }

    package func write(_ bytes: ByteBuffer) {
        guard !outputFinished else { return }
        context?.write(wrapOutboundOut(.data(.init(data: .byteBuffer(bytes)))), promise: nil)
    }

    package func flush() {
        context?.flush()
    }

    package func finish(trailers: HTTPHeaders?) {
        guard !outputFinished else { return }
        outputFinished = true
        guard let context else {
            if case .nothing = whileOpening { whileOpening = .finish(trailers) }
            return
        }
        sendEnd(trailers, context: context)
    }

    private func sendEnd(_ trailers: HTTPHeaders?, context: ChannelHandlerContext) {
        let sent = promiseOfEnd()
        if let trailers, !trailers.isEmpty {
            let fields = StreamHeadCoding.trailers(trailers)
            context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: fields, endStream: true))), promise: sent)
        } else {
            let end = HTTP2Frame.FramePayload.Data(data: .byteBuffer(ByteBuffer()), endStream: true)
            context.writeAndFlush(wrapOutboundOut(.data(end)), promise: sent)
        }
    }

    private func promiseOfEnd() -> EventLoopPromise<Void> {
        let sent = eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenSuccess {
            self.endSent = true
            if self.inputDismissed { self.dismissInput() }
        }
        return sent
    }

    package func abort() {
        guard !inbox.isClosed else {
            // The stream is over, but what it left may wait for a reader that has gone.
            inbox.closed(PipeError.aborted)
            return
        }
        if endSent, inbox.isFinished {
            // Both directions are through on the wire: there is nothing to reset, only what is held to drop.
            closed(PipeError.aborted)
            return
        }
        if case .unanswered = head {
            // A refusal says more than a reset, and ends the stream as well.
            refuse()
            closed(PipeError.aborted)
            return
        }
        outputFinished = true
        if context == nil { whileOpening = .abort }
        // The edge cancels for a visitor that left; the connector says that its answer is broken (section 8, codes).
        let code = opened ? HTTP2ErrorCode.cancel : .internalError
        context?.writeAndFlush(wrapOutboundOut(.rstStream(code)), promise: nil)
        closed(PipeError.aborted)
    }

    /// The link could not open this stream.
    func couldNotOpen(_ error: LinkError) {
        if case .awaitingResponse(let answered) = head {
            head = .done
            answered(.failure(error))
        }
        closed(error)
    }

    private func closed(_ error: (any Error)?) {
        if case .awaitingResponse(let answered) = head {
            head = .done
            answered(.failure(unanswered(because: error)))
        }
        inbox.closed(error)
    }

    private func unanswered(because error: (any Error)?) -> LinkError {
        switch error {
        // Streams beyond those that a GOAWAY names end as if they were cancelled, which connectors never do.
        case let reset as NIOHTTP2Errors.StreamClosed
        where reset.errorCode == .refusedStream || reset.errorCode == .cancel && isLeaving():
            LinkError(.streamDeclined, "the connector takes no more streams on this link")
        case let end as PipeError where end == .closedByPeer:
            LinkError(.streamCut, "the link to the connector ended before the answer")
        default:
            LinkError(.streamRefused, "the connector ended the stream without an answer", cause: error)
        }
    }

    // MARK: ChannelInboundHandler

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { channelActive(context: context) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        closed(PipeError.closedByPeer)
    }

    package func channelActive(context: ChannelHandlerContext) {
        self.context = context
        if case .abort = whileOpening {
            context.close(promise: nil)
            return
        }
        if opened {
            let fields = StreamHeadCoding.fields(of: request)
            let payload = HTTP2Frame.FramePayload.Headers(headers: fields, endStream: !request.hasBody)
            let end = request.hasBody ? nil : promiseOfEnd()
            context.writeAndFlush(wrapOutboundOut(.headers(payload)), promise: end)
            if case .finish(let trailers) = whileOpening { sendEnd(trailers, context: context) }
            whileOpening = .nothing
            inbox.writabilityChanged()
        }
        context.read()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let headers):
            received(headers, context: context)
        case .data(let data):
            if case .byteBuffer(let bytes) = data.data { inbox.received(bytes) }
            if data.endStream { inbox.finished() }
        default:
            break
        }
    }

    private func received(_ headers: HTTP2Frame.FramePayload.Headers, context: ChannelHandlerContext) {
        switch head {
        case .awaitingRequest(let arrived):
            head = .unanswered
            guard var request = StreamHeadCoding.request(from: headers.headers) else {
                refuse(status: 400)
                return
            }
            request.hasBody = !headers.endStream
            self.request = request
            if headers.endStream { inbox.finished() }
            arrived(self)
        case .awaitingResponse(let answered):
            switch StreamHeadCoding.response(from: headers.headers) {
            case .success(let response):
                guard response.status >= 200 else {
                    // Interim responses carry nothing for the visitor; the final one is still to come.
                    context.read()
                    return
                }
                head = .done
                if headers.endStream { inbox.finished() }
                answered(.success(response))
            case .failure(let error):
                head = .done
                answered(.failure(error))
                abort()
            }
        case .unanswered, .done:
            // A second head is the trailers.
            if headers.endStream { inbox.finished(trailers: StreamHeadCoding.trailers(from: headers.headers)) }
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        if inbox.readCompleted() {
            context.read()
        } else if case .awaitingResponse = head {
            context.read()
        }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        inbox.writabilityChanged()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        closed(outputFinished && inbox.isFinished ? nil : PipeError.closedByPeer)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The official connector resets without error when it has answered in full and leaves the rest of the request
        // unread; for the reader that is a normal end.
        if let reset = error as? NIOHTTP2Errors.StreamClosed, reset.errorCode == .noError, inbox.isFinished {
            closed(nil)
        } else {
            closed(error)
            context.close(promise: nil)
        }
    }
}
