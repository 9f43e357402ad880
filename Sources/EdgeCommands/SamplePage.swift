import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceHost

/// A web page on loopback, the origin of the demo. Lives until `stop`.
struct SamplePage: Sendable {
    private let listener: any Channel

    var port: Int { listener.localAddress?.port ?? 0 }

    static func start(text: String, on host: String) async throws -> SamplePage {
        do {
            let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        // Pipelining and errors are taken care of; one page is all there is.
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                        try channel.pipeline.syncOperations.addHandler(Page(text))
                    }
                }
                .bind(host: host, port: 0).get()
            return SamplePage(listener: listener)
        } catch {
            throw HostError(.listen, "the demo's sample page cannot listen on \(host)", cause: error)
        }
    }

    func stop() {
        listener.close(promise: nil)
    }

    private final class Page: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let body: ByteBuffer

        init(_ text: String) {
            body = ByteBuffer(string: text)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            let headers: HTTPHeaders = [
                "content-type": "text/plain; charset=utf-8", "content-length": String(body.readableBytes),
            ]
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
