package import NIOCore
package import NIOHTTP1
import NIOPosix
package import NIOSSL
import Synchronization

/// A real server on loopback or on a Unix socket, whose behaviour the test writes.
package final class TestOrigin: Sendable {
    package let listener: any Channel
    private let accepted: Counter

    /// Where it listens; 0 on a Unix socket.
    package var port: Int { listener.localAddress?.port ?? 0 }
    /// Connections accepted so far.
    package var connections: Int { accepted.value.withLock { $0 } }

    private final class Counter: Sendable {
        let value = Mutex(0)
    }

    package enum Place: Sendable {
        case loopback
        case unix(String)
    }

    private init(listener: any Channel, accepted: Counter) {
        self.listener = listener
        self.accepted = accepted
    }

    /// A server whose connections get the handlers that `install` adds, after TLS if any.
    package static func start(
        at place: Place = .loopback, tls: NIOSSLContext? = nil,
        install: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> TestOrigin {
        let counter = Counter()
        let bootstrap = ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    counter.value.withLock { $0 += 1 }
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try install(channel)
                }
            }
        let listener =
            switch place {
            case .loopback: try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
            case .unix(let path): try await bootstrap.bind(unixDomainSocketPath: path).get()
            }
        return TestOrigin(listener: listener, accepted: counter)
    }

    /// An HTTP/1.1 server that gathers each request and answers with what `respond` returns.
    package static func http(
        at place: Place = .loopback, tls: NIOSSLContext? = nil,
        respond: @escaping @Sendable (Request) -> [HTTPServerResponsePart]
    ) async throws -> TestOrigin {
        try await start(at: place, tls: tls) { channel in
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
            try channel.pipeline.syncOperations.addHandler(RequestHandler(respond))
        }
    }

    /// A server that is told of the bytes that come (empty: the peer ended its direction) and does as it likes with the
    /// channel.
    package static func raw(
        at place: Place = .loopback, tls: NIOSSLContext? = nil,
        received: @escaping @Sendable (ByteBuffer, any Channel) -> Void
    ) async throws -> TestOrigin {
        try await start(at: place, tls: tls) { try $0.pipeline.syncOperations.addHandler(RawHandler(received)) }
    }

    /// A server that sends back what comes, and ends when the peer ends.
    package static func echo(at place: Place = .loopback) async throws -> TestOrigin {
        try await raw(at: place) { bytes, channel in
            if bytes.readableBytes == 0 {
                channel.finish()
            } else {
                channel.writeAndFlush(bytes, promise: nil)
            }
        }
    }

    package func stop() async {
        try? await listener.close()
    }

    /// What came in one request.
    package struct Request: Sendable {
        package var head: HTTPRequestHead
        package var body: ByteBuffer
        package var trailers: HTTPHeaders?
    }

    private final class RequestHandler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let respond: @Sendable (Request) -> [HTTPServerResponsePart]
        private var request: Request?

        init(_ respond: @escaping @Sendable (Request) -> [HTTPServerResponsePart]) {
            self.respond = respond
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): request = Request(head: head, body: ByteBuffer())
            case .body(let bytes): request?.body.writeImmutableBuffer(bytes)
            case .end(let trailers):
                guard var complete = request else { return }
                request = nil
                complete.trailers = trailers
                for part in respond(complete) { context.write(wrapOutboundOut(part), promise: nil) }
                context.flush()
            }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
        }
    }

    private final class RawHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let received: @Sendable (ByteBuffer, any Channel) -> Void

        init(_ received: @escaping @Sendable (ByteBuffer, any Channel) -> Void) {
            self.received = received
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received(unwrapInboundIn(data), context.channel)
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed = event { received(ByteBuffer(), context.channel) }
        }
    }
}

extension Channel {
    /// Ends our direction after everything written. NIO's own half-close drops what the socket has not taken yet when the
    /// peer ended its direction before.
    package func finish(_ last: ByteBuffer = ByteBuffer()) {
        writeAndFlush(last).whenComplete { _ in self.close(mode: .output, promise: nil) }
    }
}

extension [HTTPServerResponsePart] {
    /// A whole response. Without a length header the body goes in chunks.
    package static func response(
        _ status: HTTPResponseStatus = .ok, _ headers: HTTPHeaders = [:], body: ByteBuffer? = nil,
        trailers: HTTPHeaders? = nil
    ) -> [HTTPServerResponsePart] {
        var parts: [HTTPServerResponsePart] = [.head(.init(version: .http1_1, status: status, headers: headers))]
        if let body { parts.append(.body(.byteBuffer(body))) }
        parts.append(.end(trailers))
        return parts
    }
}
