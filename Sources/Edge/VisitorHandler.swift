import ByteStream
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOSSL

/// Turns the request parts of a visitor's connection (HTTP/1.1, one request after the other) or stream (HTTP/2, one
/// request) into `VisitorExchange`s, and their answers into response parts.
///
/// Sits behind the HTTP codec with `autoRead` off: reads happen when nothing is being served, or when the exchange asks.
/// What was pipelined waits. Lives as long as the channel, or until a WebSocket takes the connection over.
// Safety: confined to the channel's event loop; the exchange that refers to it is too.
final class VisitorHandler: ChannelInboundHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// How the end of an answer's body is told.
    enum Framing {
        case bodiless, counted, open
    }

    private let connection: VisitorConnection
    private let limits: EdgeLimits
    private let arrived: (VisitorExchange) -> Void

    private var context: ChannelHandlerContext?
    private var state = State.idle
    /// Parts of later requests on the same connection.
    private var waiting = CircularBuffer<HTTPServerRequestPart>()
    private var keepsAlive = true
    private var version = HTTPVersion.http1_1
    private var timer: Scheduled<Void>?
    private var flushOwed = false
    private var isAdvancing = false

    private enum State {
        /// Between requests.
        case idle
        /// A head came; whether a body follows is not known yet.
        case head(HTTPRequestHead)
        case serving(VisitorExchange)
        /// The answer is complete, the rest of the upload is read and dropped.
        case draining
        /// The last answer is being written, or the connection is given up.
        case closing
        /// The connection belongs to a WebSocket.
        case raw
    }

    init(connection: VisitorConnection, limits: EdgeLimits, arrived: @escaping (VisitorExchange) -> Void) {
        self.connection = connection
        self.limits = limits
        self.arrived = arrived
    }

    // MARK: What comes in

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { channelActive(context: context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        self.context = nil
        if case .serving(let exchange) = state { exchange.over(PipeError.closedByPeer) }
        state = .closing
    }

    func channelActive(context: ChannelHandlerContext) {
        arm(limits.requestHead)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .raw = state {
            context.fireChannelRead(data)
            return
        }
        let part = unwrapInboundIn(data)
        if waiting.isEmpty, isNext(part) {
            take(part)
        } else if waiting.count < limits.pipelinedParts {
            waiting.append(part)
        } else {
            abort()
        }
    }

    /// Whether a part belongs to the request at hand; the head of the next one has to wait.
    private func isNext(_ part: HTTPServerRequestPart) -> Bool {
        switch (state, part) {
        case (.serving(let exchange), _): !exchange.requestOver
        case (.idle, _), (.head, _), (.draining, _), (.closing, _), (.raw, _): true
        }
    }

    private func take(_ part: HTTPServerRequestPart) {
        switch (state, part) {
        case (.idle, .head(let head)):
            timer?.cancel()
            state = .head(head)
        case (.head(let head), .body(let bytes)):
            begin(head, hasBody: true)
            if case .serving(let exchange) = state { exchange.received(bytes) }
        case (.head(let head), .end(let trailers)):
            begin(head, hasBody: false, trailers: trailers)
        case (.serving(let exchange), .body(let bytes)):
            exchange.received(bytes)
        case (.serving(let exchange), .end(let trailers)):
            exchange.requestEnded(trailers: trailers)
        case (.draining, .end):
            next()
        default:
            break
        }
    }

    private func begin(_ head: HTTPRequestHead, hasBody: Bool, trailers: HTTPHeaders? = nil) {
        version = head.version
        keepsAlive = keepsAlive && head.isKeepAlive
        let request: VisitorRequest
        do {
            request = try VisitorRequest(head)
        } catch {
            refuse(.refused(error))
            return
        }
        guard let context else { return }
        let exchange = VisitorExchange(
            request: request, hasBody: hasBody, connection: connection, handler: self, eventLoop: context.eventLoop)
        state = .serving(exchange)
        if !hasBody { exchange.requestEnded(trailers: trailers) }
        arrived(exchange)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .head(let head) = state { begin(head, hasBody: true) }
        switch state {
        case .serving(let exchange):
            if exchange.readCompleted(), !exchange.requestOver { context.read() }
        case .idle, .draining:
            context.read()
        case .head, .closing:
            break
        case .raw:
            context.fireChannelReadComplete()
        }
        if flushOwed { flushNow() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .serving(let exchange) = state { exchange.writabilityChanged() }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(PipeError.closedByPeer)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            keepsAlive = false
            if case .idle = state, waiting.isEmpty { arm(limits.farewell) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch (state, error) {
        case (.raw, _):
            context.fireErrorCaught(error)
        case (.closing, _):
            break
        case (.idle, let error as HTTPParserError) where waiting.isEmpty:
            refuse(error == .headerOverflow ? .headTooLarge(limits.requestHeadBytes) : .notHTTP())
        case (.serving(let exchange), is HTTPParserError) where exchange.requestOver:
            // What follows the request is not HTTP; the request itself is good.
            keepsAlive = false
        default:
            end(error)
            context.close(promise: nil)
        }
    }

    // MARK: What goes out

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func readMore() {
        context?.read()
    }

    func sendContinue() {
        sendPart(.head(HTTPResponseHead(version: version, status: .continue)))
        flushNow()
    }

    func sendHead(status: Int, headers: HTTPHeaders, framing: Framing, of exchange: VisitorExchange) {
        if !exchange.leavesConnectionUsable { keepsAlive = false }
        sendHead(status: status, headers: headers, framing: framing)
    }

    private func sendHead(status: Int, headers: HTTPHeaders, framing: Framing) {
        var headers = headers
        if !connection.isHTTP2 {
            if framing == .open {
                if version != .http1_0 {
                    headers.add(name: "transfer-encoding", value: "chunked")
                } else {
                    keepsAlive = false
                }
            }
            if !keepsAlive {
                headers.add(name: "connection", value: "close")
            } else if version == .http1_0 {
                headers.add(name: "connection", value: "keep-alive")
            }
        }
        let status = HTTPResponseStatus(statusCode: status)
        sendPart(.head(HTTPResponseHead(version: version, status: status, headers: headers)))
        oweFlush()
    }

    func sendBody(_ bytes: ByteBuffer) {
        sendPart(.body(.byteBuffer(bytes)))
    }

    func sendEnd(trailers: HTTPHeaders?, of exchange: VisitorExchange) {
        guard case .serving(let current) = state, current === exchange else { return }
        let trailers = version != .http1_0 ? trailers : nil
        if exchange.requestOver {
            sendEnd(trailers, then: keepsAlive || connection.isHTTP2 ? nil : { $0.close() })
            exchange.over(nil)
            next()
        } else if connection.isHTTP2 {
            state = .closing
            // A reset before the answer is out would take the answer with it.
            sendEnd(trailers) { $0.reset(.noError) }
            exchange.over(PipeError.aborted)
        } else {
            sendEnd(trailers, then: nil)
            dropUpload(of: exchange)
        }
    }

    private func sendEnd(_ trailers: HTTPHeaders?, then: ((VisitorHandler) -> Void)?) {
        guard let context else { return }
        flushOwed = false
        guard let then else {
            context.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: nil)
            return
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: written)
        written.futureResult.assumeIsolated().whenComplete { _ in then(self) }
    }

    /// The answer is complete before the upload is: what is still to come is read and dropped for a while, so that the
    /// visitor gets to read the answer.
    func dropUpload(of exchange: VisitorExchange) {
        guard case .serving(let current) = state, current === exchange else { return }
        state = .draining
        arm(limits.linger)
        exchange.over(PipeError.aborted)
        context?.read()
    }

    private func sendPart(_ part: HTTPServerResponsePart) {
        context?.write(wrapOutboundOut(part), promise: nil)
    }

    func flushNow() {
        flushOwed = false
        context?.flush()
    }

    /// The head goes out together with the first bytes of the body if those come in the same turn of the loop.
    private func oweFlush() {
        guard !flushOwed, let context else { return }
        flushOwed = true
        context.eventLoop.assumeIsolated().execute { if self.flushOwed { self.flushNow() } }
    }

    /// Answers a request that cannot become an exchange, and closes.
    private func refuse(_ page: EdgePage) {
        timer?.cancel()
        keepsAlive = false
        state = .closing
        let (headers, body) = page.render(asHTML: false, ray: nil)
        sendHead(status: page.status, headers: headers, framing: .counted)
        sendBody(body)
        sendEnd(nil) { $0.connection.isHTTP2 ? $0.reset(.noError) : $0.close() }
    }

    // MARK: Between requests

    private func next() {
        timer?.cancel()
        guard !connection.isHTTP2 else {
            state = .closing
            return
        }
        guard keepsAlive else {
            state = .closing
            arm(limits.keepAlive)
            return
        }
        state = .idle
        arm(limits.keepAlive)
        advance()
    }

    /// Takes what was pipelined. Answers given at once come back here, hence the guard against recursion.
    private func advance() {
        guard !isAdvancing else { return }
        isAdvancing = true
        while let part = waiting.first, isNext(part) {
            waiting.removeFirst()
            take(part)
        }
        isAdvancing = false
        if waiting.isEmpty, case .idle = state { context?.read() }
    }

    private func arm(_ delay: TimeAmount) {
        timer?.cancel()
        timer = context?.eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
            self?.close()
        }
    }

    // MARK: The end

    /// Closes after everything was sent.
    private func close() {
        state = .closing
        context?.close(promise: nil)
    }

    private func end(_ error: any Error) {
        timer?.cancel()
        guard case .serving(let exchange) = state else { return }
        state = .closing
        exchange.over(error)
    }

    /// Breaks the answer off so that nobody takes it for complete: no TLS goodbye, no last chunk, a reset on HTTP/2.
    func abort() {
        if case .raw = state { return }
        let exchange: VisitorExchange? = if case .serving(let current) = state { current } else { nil }
        timer?.cancel()
        state = .closing
        if connection.isHTTP2 {
            reset(.internalError)
        } else if let tls = try? context?.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) {
            tls.close(promise: nil)
        } else {
            context?.close(promise: nil)
        }
        exchange?.over(PipeError.aborted)
    }

    private func reset(_ code: HTTP2ErrorCode) {
        guard let context else { return }
        let operations = context.pipeline.syncOperations
        if let codec = try? operations.context(handlerType: HTTP2FramePayloadToHTTP1ServerCodec.self) {
            codec.writeAndFlush(NIOAny(HTTP2Frame.FramePayload.rstStream(code)), promise: nil)
        } else {
            context.close(promise: nil)
        }
    }

    // MARK: WebSocket

    /// Sends 101 and hands the connection over: the pipe gets all bytes from behind the request head on.
    func becomeRaw(headers: HTTPHeaders) throws -> ChannelPipe {
        guard let context, !connection.isHTTP2 else { throw PipeError.aborted }
        timer?.cancel()
        state = .raw
        sendPart(.head(HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)))
        flushNow()
        let operations = context.pipeline.syncOperations
        let pipe = try ChannelPipe.install(on: context.channel)
        // The decoder passes on what it has not used, a turn later; that is a delivery of its own.
        let decoder = try operations.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self)
        let removed = context.eventLoop.makePromise(of: Void.self)
        let tls = try operations.context(handlerType: NIOSSLServerHandler.self)
        removed.futureResult.assumeIsolated().whenComplete { _ in tls.fireChannelReadComplete() }
        operations.removeHandler(context: decoder, promise: removed)
        let encoder = try operations.context(handlerType: HTTPResponseEncoder.self)
        operations.removeHandler(context: encoder, promise: nil)
        operations.removeHandler(context: context, promise: nil)
        return pipe
    }
}

extension EdgePage {
    static func headTooLarge(_ limit: Int) -> EdgePage {
        EdgePage(
            status: 431, message: "The edge takes request heads of at most \(limit) bytes.",
            remedy: "Send smaller headers; deleting the site's cookies often helps.")
    }

    static func notHTTP() -> EdgePage {
        EdgePage(
            status: 400, message: "The edge expects HTTP here, and this is not.",
            remedy: "Connectors belong on the tunnel port; visitors speak HTTP/1.1 or HTTP/2.")
    }
}
