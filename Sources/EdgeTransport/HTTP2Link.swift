import ByteStream
package import NIOCore
import NIOHTTP2
import NIOPosix
package import NIOSSL

/// A link over TLS and HTTP/2, in either role: the connector dials and serves streams, the edge accepts and opens them
/// (tunnel-protocol section 2). TLS and HTTP/2 roles are crossed: who dials is the TLS client and the HTTP/2 server.
///
/// Lives as long as its connection; `ended` tells when and why that was over.
package final class HTTP2Link: Sendable {
    package let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.StreamMultiplexer
    let linkGuard: NIOLoopBound<LinkGuard>
    private let open: NIOLoopBoundBox<Int>
    private let pulse: LinkPulse

    package var eventLoop: any EventLoop { channel.eventLoop }

    /// Succeeds, with the reason, when the link is over. Never fails.
    package let ended: EventLoopFuture<LinkError>

    private init(channel: any Channel, handler: NIOHTTP2Handler, linkGuard: LinkGuard) throws {
        self.channel = channel
        multiplexer = try handler.syncMultiplexer()
        self.linkGuard = NIOLoopBound(linkGuard, eventLoop: channel.eventLoop)
        pulse = linkGuard.pulse
        open = NIOLoopBoundBox(0, eventLoop: channel.eventLoop)
        ended = linkGuard.ended.futureResult
    }

    // MARK: Connector

    /// Dials an edge and waits until its HTTP/2 began.
    ///
    /// - Parameters:
    ///   - edge: where to; the configuration says from where, and through which proxy.
    ///   - eventLoop: where the link, its streams and whatever they are spliced with live.
    ///   - arrived: called on the event loop for every stream the edge opens, before its body is read.
    /// - Throws: `LinkError`.
    package static func dial(
        _ edge: EdgeEndpoint, tls: NIOSSLContext, on eventLoop: any EventLoop,
        configuration: LinkConfiguration = LinkConfiguration(), arrived: @escaping @Sendable (LinkStream) -> Void
    ) async throws -> HTTP2Link {
        let dialer = EdgeDialer(edge, configuration)
        return try await withTaskCancellationHandler {
            let link = try await dialer.connect(on: eventLoop) { channel in
                let handler = try ServerIdentity.tlsHandler(tls, serverName: EdgeTLS.serverName)
                return try install(
                    on: channel, tls: handler, mode: .server, configuration: configuration, arrived: arrived)
            }
            try await link.becomeReady()
            return link
        } onCancel: {
            dialer.cancel()
        }
    }

    // MARK: Edge

    /// Makes a link of a connection that a connector has just opened; call from the listener's channel initializer. The
    /// link is ready for streams after `becomeReady`.
    package static func accept(
        _ channel: any Channel, tls: NIOSSLContext, configuration: LinkConfiguration = LinkConfiguration()
    ) throws -> HTTP2Link {
        try channel.syncOptions?.setOption(
            .tcpUserTimeout, value: SocketOptionValue(configuration.unacknowledgedTimeout.milliseconds))
        let handler = NIOSSLServerHandler(context: tls)
        return try install(on: channel, tls: handler, mode: .client, configuration: configuration) { $0.refuse() }
    }

    /// Waits for TLS and the peer's SETTINGS, within the configured deadlines.
    ///
    /// - Throws: `LinkError`; the connection is closed then.
    package func becomeReady() async throws {
        let ready = linkGuard
        try await eventLoop.flatSubmit { ready.value.ready.futureResult }.get()
    }

    private static func install(
        on channel: any Channel, tls: any ChannelHandler, mode: NIOHTTP2Handler.ParserMode,
        configuration: LinkConfiguration, arrived: @escaping @Sendable (LinkStream) -> Void
    ) throws -> HTTP2Link {
        let eventLoop = channel.eventLoop
        let socket = LinkSocket()
        let linkGuard = LinkGuard(configuration: configuration, socket: socket, on: eventLoop)
        let limits = NIOLoopBound(linkGuard, eventLoop: eventLoop)
        let handler = NIOHTTP2Handler(
            mode: mode, eventLoop: eventLoop, connectionConfiguration: configuration.connection,
            streamConfiguration: configuration.stream
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.syncOptions?.setOption(.autoRead, value: false)
                let end = LinkStream(
                    acceptingOn: stream.eventLoop, headLimit: { limits.value.peerHeadLimit }, arrived: arrived)
                try stream.pipeline.syncOperations.addHandler(end)
            }
        }
        try channel.pipeline.syncOperations.addHandlers(socket, tls, handler, linkGuard)
        return try HTTP2Link(channel: channel, handler: handler, linkGuard: linkGuard)
    }

    // MARK: Streams

    /// Whether another stream may be opened now. On the event loop.
    package var hasCapacity: Bool {
        let linkGuard = linkGuard.value
        return channel.isActive && !linkGuard.peerGoingAway && open.value < linkGuard.peerMaximumStreams
    }

    /// Whether the peer has left a PING unanswered for several round trips. It may be gone. From any thread.
    package var isSilent: Bool { pulse.isSilent(at: .now()) }

    /// Makes `isSilent` tell soon, when nothing came for a while. From any thread.
    package func askIfQuiet() {
        eventLoop.execute { self.linkGuard.value.askIfQuiet() }
    }

    /// Streams open now. On the event loop.
    package var openStreams: Int { open.value }

    /// Opens a stream towards the connector. On the event loop.
    ///
    /// - Parameter answered: called once on the event loop with the response head, or with why there is none.
    /// - Returns: the stream; its body may be written at once.
    package func openStream(
        _ request: StreamRequest, answered: @escaping (Result<StreamResponse, LinkError>) -> Void
    ) -> LinkStream {
        eventLoop.preconditionInEventLoop()
        let linkGuard = linkGuard
        let stream = LinkStream(
            opening: request, on: eventLoop, isLeaving: { linkGuard.value.peerGoingAway }, answered: answered)
        guard hasCapacity else {
            stream.couldNotOpen(LinkError(.noCapacity, "the connector takes no more streams on this link"))
            return stream
        }
        guard StreamHeadCoding.fits(StreamHeadCoding.fields(of: request), linkGuard.value.peerHeadLimit) else {
            stream.couldNotOpen(LinkError(.headTooLarge, "the request's headers are too large for the connector"))
            return stream
        }
        linkGuard.value.askIfQuiet()
        open.value += 1
        let promise = eventLoop.makePromise(of: (any Channel).self)
        multiplexer.createStreamChannel(promise: promise) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.syncOptions?.setOption(.autoRead, value: false)
                try channel.pipeline.syncOperations.addHandler(stream)
            }
        }
        let open = open
        promise.futureResult.whenSuccess { channel in
            channel.closeFuture.whenComplete { _ in open.value -= 1 }
        }
        promise.futureResult.whenFailure { error in
            open.value -= 1
            stream.couldNotOpen(LinkError(.streamDeclined, "no stream could be opened on the link", cause: error))
        }
        return stream
    }

    /// Ends the link at once: the only way the peer reliably notices (tunnel-protocol section 2.3).
    package func close() {
        channel.close(promise: nil)
    }
}

extension ChannelOption where Self == ChannelOptions.Types.SocketOption {
    /// TCP_USER_TIMEOUT of Linux, in milliseconds.
    static var tcpUserTimeout: Self { .tcpOption(NIOBSDSocket.Option(rawValue: 18)) }
}

extension TimeAmount {
    var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
