import ByteStream
import NIOCore
import NIOHTTP1
import NIOSSL
import NIOTLS

/// One HTTP/1.1 connection to an origin: serves one exchange at a time, waits in the pool between them.
///
/// Lives as long as its channel, on its event loop. Its pipeline: TLS if any, NIO's HTTP/1.1 codecs, this.
// Safety: confined to the channel's event loop; references only cross loops inside futures of that loop.
final class HTTPConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// The pool's name for where this leads.
    let key: OriginPool.Key
    /// Whether an exchange was served before: its successor may find that the origin has just hung up.
    private(set) var isReused = false

    private let channel: any Channel
    private let pool: OriginPool
    private var context: ChannelHandlerContext?
    private var exchange: OriginExchange?
    private var securing: EventLoopPromise<Void>?
    private var upgrade: HTTPResponseHead?
    private var keepsAlive = false
    private var lastError: (any Error)?
    private var idleTimer: Scheduled<Void>?

    /// Bytes of an origin's response head, all fields together. As header blob this is 350 KB, a third of what a link
    /// carries (tunnel-protocol section 8); the other limits of NIO's decoder follow it.
    static let headLimit = 256 << 10

    private init(channel: any Channel, key: OriginPool.Key, pool: OriginPool) {
        self.channel = channel
        self.key = key
        self.pool = pool
    }

    /// Makes a connection of a freshly dialled channel; with TLS, the future waits for the handshake.
    static func install(
        on channel: any Channel, tls: NIOSSLContext?, key: OriginPool.Key, pool: OriginPool, tlsTimeout: TimeAmount
    ) -> EventLoopFuture<HTTPConnection> {
        let eventLoop = channel.eventLoop
        let connection = HTTPConnection(channel: channel, key: key, pool: pool)
        do {
            let pipeline = channel.pipeline.syncOperations
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = headLimit
            limits.maxHeaderListSize = headLimit
            limits.maxHeaderFieldCount = 2000
            var framing = HTTPRequestEncoder.Configuration()
            // `HTTPRequest.head` has decided already.
            framing.automaticallySetFramingHeaders = false
            if let tls { try pipeline.addHandler(OriginTLS.handler(tls, name: key.serverName ?? "")) }
            try pipeline.addHandler(HTTPRequestEncoder(configuration: framing), name: encoderName)
            try pipeline.addHandler(
                ByteToMessageHandler(
                    HTTPResponseDecoder(
                        leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .drop,
                        limitConfiguration: limits)),
                name: decoderName)
            try pipeline.addHandler(connection)
        } catch {
            channel.close(promise: nil)
            return eventLoop.makeFailedFuture(OriginError.securing(key.target, name: key.serverName ?? "", error))
        }
        guard tls != nil else { return eventLoop.makeSucceededFuture(connection) }
        return connection.secured(within: tlsTimeout)
    }

    private static let encoderName = "http.encoder"
    private static let decoderName = "http.decoder"

    private func secured(within limit: TimeAmount) -> EventLoopFuture<HTTPConnection> {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        securing = promise
        let timer = channel.eventLoop.scheduleTask(in: limit) { [key, channel] in
            promise.fail(
                OriginError(
                    .timedOut,
                    "\(key.target.name) did not complete the TLS handshake within tlsTimeout; does it speak TLS there?")
            )
            channel.close(promise: nil)
        }
        promise.futureResult.whenComplete { _ in timer.cancel() }
        channel.read()
        let key = key
        return promise.futureResult.map { self }.flatMapErrorThrowing { error in
            throw OriginError.securing(key.target, name: key.serverName ?? "", error)
        }
    }

    var isOpen: Bool { context != nil && channel.isActive }
    var isWritable: Bool { channel.isWritable }

    // MARK: Serving an exchange

    /// Sends a request head; what comes back goes to the exchange.
    func start(_ exchange: OriginExchange, head: HTTPRequestHead) {
        idleTimer?.cancel()
        idleTimer = nil
        self.exchange = exchange
        keepsAlive = false
        context?.write(wrapOutboundOut(.head(head)), promise: nil)
        context?.flush()
        context?.read()
    }

    func write(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }

    func flush() {
        context?.flush()
    }

    func end(trailers: HTTPHeaders?) {
        context?.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: nil)
    }

    func read() {
        context?.read()
    }

    func close() {
        exchange = nil
        context?.close(promise: nil)
    }

    /// The exchange is over on both sides; the connection waits for the next one if the origin allows it.
    func release() {
        exchange = nil
        isReused = true
        guard keepsAlive, isOpen, pool.put(self) else {
            close()
            return
        }
        // Only while reading does an idle connection notice that the origin hangs up.
        context?.read()
    }

    /// Ends an idle connection after a while. Called by the pool.
    func closeIdle(after time: TimeAmount) {
        idleTimer = channel.eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in
            guard let self else { return }
            self.pool.remove(self)
            self.close()
        }
    }

    // MARK: ChannelInboundHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // After an upgrade the channel lives on under a ChannelPipe.
        self.context = nil
        idleTimer?.cancel()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event {
            securing?.succeed()
            securing = nil
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let exchange else {
            // Nobody asked for anything.
            context.close(promise: nil)
            return
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            keepsAlive = head.isKeepAlive
            if head.status == .switchingProtocols {
                beginUpgrade(head, exchange)
            } else {
                exchange.received(head)
            }
        case .body(let bytes):
            exchange.received(bytes)
        case .end(let trailers):
            if let upgrade {
                completeUpgrade(upgrade, exchange)
            } else {
                exchange.ended(trailers)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if exchange?.readCompleted() ?? (securing != nil) { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        // The encoder writes a chunk in three parts, and the channel may fill up between them: whoever reacts to that with
        // a write of its own would write into the chunk. Nobody has to act on "full", so only "free" is told.
        if context.channel.isWritable { exchange?.writabilityChanged() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        lastError = lastError ?? error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        pool.remove(self)
        let closed = OriginError(
            .handshakeFailed, "\(key.target.name) closed the connection during the TLS handshake", cause: lastError)
        securing?.fail(lastError ?? closed)
        securing = nil
        let ended = exchange
        exchange = nil
        ended?.connectionClosed(lastError)
    }

    // MARK: Upgrade

    private func beginUpgrade(_ head: HTTPResponseHead, _ exchange: OriginExchange) {
        guard exchange.isUpgrade, head.headers.contains(name: "upgrade"), head.headers.contains(name: "connection")
        else {
            lastError = OriginError(.badResponse, "\(key.target.name) switched protocols without being asked to")
            channel.close(promise: nil)
            return
        }
        upgrade = head
    }

    /// Hands the channel over to a pipe: the codecs leave, and what the decoder holds already goes to the pipe.
    private func completeUpgrade(_ head: HTTPResponseHead, _ exchange: OriginExchange) {
        self.exchange = nil
        let pipeline = channel.pipeline.syncOperations
        do {
            let pipe = try ChannelPipe.install(on: channel)
            let decoder = try pipeline.context(name: Self.decoderName)
            let encoder = try pipeline.context(name: Self.encoderName)
            let gone = pipeline.removeHandler(context: decoder).and(pipeline.removeHandler(context: encoder))
            if let context { pipeline.removeHandler(context: context, promise: nil) }
            gone.assumeIsolated().whenComplete { result in
                switch result {
                case .success: exchange.upgraded(head, pipe)
                case .failure(let error): exchange.connectionClosed(error)
                }
            }
        } catch {
            channel.close(promise: nil)
            exchange.connectionClosed(error)
        }
    }
}

extension HTTPConnection: RemovableChannelHandler {}
