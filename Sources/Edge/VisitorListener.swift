import Glibc
package import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import NIOTLS

/// Accepts visitors: TLS, then HTTP/1.1 or HTTP/2, then `VisitorHandler`.
package struct VisitorListener: Sendable {
    let certificates: EdgeCertificates
    let limits: EdgeLimits
    private let rejections: RejectionLog
    let channels: OpenChannels
    let arrived: @Sendable (VisitorExchange) -> Void

    /// - Parameter arrived: called on the connection's event loop for every request.
    init(
        certificates: EdgeCertificates, limits: EdgeLimits, rejections: RejectionLog,
        arrived: @escaping @Sendable (VisitorExchange) -> Void
    ) {
        self.certificates = certificates
        self.limits = limits
        self.rejections = rejections
        self.arrived = arrived
        channels = OpenChannels(limit: limits.visitorConnections)
    }

    /// Starts to listen. Closing the channel stops it; what it has accepted lives on.
    package func bind(to address: SocketAddress, group: any EventLoopGroup) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // A dead visitor of a silent WebSocket is noticed after two minutes.
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 60)
            .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 15)
            .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 4)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try accept(channel) }
            }
            .bind(to: address).get()
    }

    private func accept(_ channel: any Channel) throws {
        guard channels.admit(channel) else {
            channel.close(promise: nil)
            return
        }
        let deadline = channel.eventLoop.scheduleTask(in: limits.visitorHandshake) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in deadline.cancel() }
        // The name that the visitor asks for is read before TLS takes over, which does not tell it.
        let reader = SNIHandler { result in
            channel.eventLoop.makeCompletedFuture {
                try secure(channel, serverName: result.name, deadline: deadline)
            }
        }
        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(reader, maximumBufferSize: 64 << 10))
    }

    private func secure(_ channel: any Channel, serverName: String?, deadline: Scheduled<Void>) throws {
        let connection = { (isHTTP2: Bool) in
            VisitorConnection(
                visitor: channel.remoteAddress?.plainIP ?? "unknown", serverName: serverName,
                local: channel.localAddress?.plainIP ?? "unknown", isHTTP2: isHTTP2)
        }
        let operations = channel.pipeline.syncOperations
        try operations.addHandler(NIOSSLServerHandler(context: certificates.now.visitor.context(for: serverName)))
        let peer = channel.remoteAddress?.plainIP ?? "unknown"
        let plainText = PlainTextGuard { [rejections] error in
            if let message = RejectionLog.visitorMessage(for: error) { rejections.report(message, address: peer) }
        }
        let secured = NIOLoopBound(plainText, eventLoop: channel.eventLoop)
        let choice = ApplicationProtocolNegotiationHandler { (result, channel) -> EventLoopFuture<Void> in
            deadline.cancel()
            secured.value.isSecured = true
            return channel.eventLoop.makeCompletedFuture {
                if case .negotiated("h2") = result {
                    try serveHTTP2(channel, connection(true))
                } else {
                    try serveHTTP1(channel, connection(false))
                }
                if channels.isQuiescing {
                    channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
                }
            }
        }
        try operations.addHandler(choice)
        try operations.addHandler(plainText)
    }

    // MARK: HTTP/1.1

    private func serveHTTP1(_ channel: any Channel, _ connection: VisitorConnection) throws {
        try channel.syncOptions?.setOption(.autoRead, value: false)
        var parsing = NIOHTTPDecoderLimitConfiguration()
        parsing.maxHeaderFieldSize = limits.requestHeadBytes
        parsing.maxHeaderListSize = limits.requestHeadBytes
        parsing.maxHeaderFieldCount = limits.requestHeadFields
        var framing = HTTPResponseEncoder.Configuration()
        // The handler knows about HEAD, the encoder does not.
        framing.automaticallySetFramingHeaders = false
        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: parsing)
        let operations = channel.pipeline.syncOperations
        try operations.addHandler(HTTPResponseEncoder(configuration: framing))
        try operations.addHandler(ByteToMessageHandler(decoder, maximumBufferSize: 4 * limits.requestHeadBytes))
        try operations.addHandler(VisitorHandler(connection: connection, limits: limits, arrived: arrived))
    }

    // MARK: HTTP/2

    private func serveHTTP2(_ channel: any Channel, _ connection: VisitorConnection) throws {
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: channel.eventLoop,
            configuration: .init(
                maxIdleTime: limits.keepAlive, maxAge: nil, maxGraceTime: limits.drain,
                keepalive: .init(pingInterval: .seconds(30), ackTimeout: .seconds(20))))
        let handler = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: connectionConfiguration,
            streamConfiguration: streamConfiguration, streamDelegate: manager.http2StreamDelegate
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.syncOptions?.setOption(.autoRead, value: false)
                let operations = stream.pipeline.syncOperations
                try operations.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
                try operations.addHandler(VisitorHandler(connection: connection, limits: limits, arrived: arrived))
            }
        }
        try channel.pipeline.syncOperations.addHandlers(handler, manager, ConnectionEnd())
    }

    private var connectionConfiguration: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: limits.visitorStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: limits.requestHeadBytes),
            HTTP2Setting(parameter: .initialWindowSize, value: 1 << 20),
        ]
        configuration.targetWindowSize = 4 << 20
        configuration.maximumSequentialEmptyDataFrames = 16
        return configuration
    }

    private var streamConfiguration: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = 1 << 20
        configuration.outboundBufferSizeHighWatermark = 256 << 10
        configuration.outboundBufferSizeLowWatermark = 128 << 10
        // Pages that are left early reset many streams at once; a flood of resets is an attack.
        configuration.streamResetFrameRateLimit.maximumCount = 1000
        return configuration
    }
}

/// Ends an HTTP/2 connection that broke the protocol.
private final class ConnectionEnd: ChannelInboundHandler {
    typealias InboundIn = NIOAny

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What concerns one stream ends that stream alone.
        if error is NIOHTTP2Errors.StreamError { return }
        context.close(promise: nil)
    }
}

/// Tells whoever speaks plain HTTP to the TLS port so, and ends whatever fails before HTTP begins.
private final class PlainTextGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias OutboundOut = ByteBuffer

    /// TLS is up; what fails now is HTTP's.
    var isSecured = false
    private let failed: (any Error) -> Void

    init(failed: @escaping (any Error) -> Void) {
        self.failed = failed
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isSecured { failed(error) }
        let operations = context.pipeline.syncOperations
        if String(describing: error).contains("HTTP_REQUEST"),
            let tls = try? operations.context(handlerType: NIOSSLServerHandler.self)
        {
            tls.writeAndFlush(NIOAny(ByteBuffer(string: Self.answer)), promise: nil)
        }
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    private static let answer =
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 43\r\n\r\n"
        + "This port of the edge speaks HTTPS only.\n\n\n"
}

extension SNIResult {
    fileprivate var name: String? {
        switch self {
        case .hostname(let name): name.lowercased()
        case .fallback: nil
        }
    }
}
