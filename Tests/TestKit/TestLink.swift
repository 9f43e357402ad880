package import EdgeTransport
package import NIOCore
import NIOPosix
import NIOSSL

/// Both ends of a real link over loopback TLS: the edge's, which opens streams, and the connector's, where they arrive.
/// Call `close` at the end of the test.
package struct TestLink: Sendable {
    package let edge: HTTP2Link
    package let connector: HTTP2Link
    private let listener: any Channel

    /// - Parameters:
    ///   - certificate: what the edge shows.
    ///   - caFile: what the connector trusts; nil for the authority that signed the certificate.
    ///   - postQuantumOnly: whether the connector insists on ML-KEM.
    ///   - arrived: the connector's handling of streams, on its event loop.
    package static func make(
        certificate: TestCertificates.Kind = .valid, caFile: String? = nil,
        postQuantumOnly: Bool = false, edge edgeConfiguration: LinkConfiguration = LinkConfiguration(),
        connector connectorConfiguration: LinkConfiguration = LinkConfiguration(),
        arrived: @escaping @Sendable (LinkStream) -> Void
    ) async throws -> TestLink {
        let certificates = try TestCertificates.shared.get()
        let tls = try EdgeTLS.edge(
            certificateFile: certificates.certificateFile(certificate), keyFile: certificates.keyFile(certificate))
        let group = MultiThreadedEventLoopGroup.singleton
        let accepted = group.next().makePromise(of: HTTP2Link.self)
        let listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    accepted.succeed(try HTTP2Link.accept(channel, tls: tls, configuration: edgeConfiguration))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            guard let address = listener.localAddress else { throw ChannelError.unknownLocalAddress }
            let trusted = try EdgeTLS.connector(
                caFile: caFile ?? certificates.authorityFile, postQuantumOnly: postQuantumOnly)
            let connector = try await HTTP2Link.dial(
                .address(address), tls: trusted, on: group.next(), configuration: connectorConfiguration,
                arrived: arrived)
            let edge = try await accepted.futureResult.get()
            try await edge.becomeReady()
            return TestLink(edge: edge, connector: connector, listener: listener)
        } catch {
            accepted.fail(error)
            try? await listener.close()
            throw error
        }
    }

    package func close() async {
        try? await listener.close()
        edge.close()
        connector.close()
        _ = try? await edge.ended.get()
        _ = try? await connector.ended.get()
    }

    /// Opens a stream as the edge does.
    ///
    /// - Parameter body: bytes to send, with back-pressure, before the stream is ended; nil sends nothing and leaves our
    ///   direction open.
    package func open(_ request: StreamRequest, body: ByteBuffer? = nil) async throws -> TestVisitor {
        let edge = edge
        let visitor = try await edge.eventLoop.submit {
            let visitor = TestVisitor(on: edge.eventLoop)
            visitor.start(edge.openStream(request) { visitor.answered($0) })
            return visitor
        }.get()
        if let body { visitor.send(body, end: true) }
        return visitor
    }

    /// Opens a stream, sends the body, and waits for the whole answer.
    package func exchange(_ request: StreamRequest, body: ByteBuffer? = nil) async throws -> TestVisitor.Answer {
        let visitor = try await open(request, body: request.hasBody ? body ?? ByteBuffer() : nil)
        return try await visitor.answer()
    }
}
