import EdgeTransport
import NIOCore
import NIOPosix
import NIOSSL
import TestKit
import Testing
import TunnelWire

@Suite(.timeLimit(.minutes(1))) struct HTTP2LinkFailureTests {
    private static func dial(_ origin: TestOrigin, _ configuration: LinkConfiguration = LinkConfiguration())
        async throws
    {
        try await dial(#require(origin.listener.localAddress), configuration)
    }

    private static func dial(
        _ address: SocketAddress, _ configuration: LinkConfiguration = LinkConfiguration()
    ) async throws {
        let certificates = try TestCertificates.shared.get()
        let tls = try EdgeTLS.connector(caFile: certificates.authorityFile, postQuantumOnly: false)
        let link = try await HTTP2Link.dial(
            .address(address), tls: tls, on: MultiThreadedEventLoopGroup.singleton.next(), configuration: configuration
        ) { $0.refuse() }
        throw await LinkError(.closedByPeer, "became ready", cause: try? link.ended.get())
    }

    private static func accept(
        _ configuration: LinkConfiguration = LinkConfiguration(), send: @escaping @Sendable (any Channel) -> Void
    ) async throws -> LinkError {
        let certificates = try TestCertificates.shared.get()
        let tls = try EdgeTLS.edge(
            certificateFile: certificates.certificateFile(.valid), keyFile: certificates.keyFile(.valid))
        let group = MultiThreadedEventLoopGroup.singleton
        let accepted = group.next().makePromise(of: HTTP2Link.self)
        let listener = try await ServerBootstrap(group: group).childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                accepted.succeed(try HTTP2Link.accept(channel, tls: tls, configuration: configuration))
            }
        }.bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(listener.localAddress)
        let client = try await ClientBootstrap(group: group).connect(to: address).get()
        send(client)
        let link = try await accepted.futureResult.get()
        let error: LinkError
        do {
            try await link.becomeReady()
            error = LinkError(.closedByPeer, "became ready")
        } catch let failure as LinkError {
            error = failure
        }
        try? await client.close()
        try await listener.close()
        return error
    }

    @Test func `a port where nothing listens is named`() async throws {
        let origin = try await TestOrigin.echo()
        let address = try #require(origin.listener.localAddress)
        let port = origin.port
        await origin.stop()
        await #expect { try await Self.dial(address) } throws: { error in
            guard let error = error as? LinkError else { return false }
            return error.code == .dialFailed && error.recovery == .retryElsewhere
                && error.description
                    == "no connection to the edge at 127.0.0.1:\(port) (connection refused);"
                    + " check --edge and that the edge runs"
        }
    }

    @Test func `an edge with an unknown authority is refused, with the flag to use`() async throws {
        let stranger = try TestCertificates.shared.get().strangerFile
        await #expect {
            try await TestLink.make(caFile: stranger) { $0.refuse() }
        } throws: { error in
            guard let error = error as? LinkError else { return false }
            return error.code == .certificateRefused && error.message.contains("--cacert")
        }
    }

    @Test(arguments: [TestCertificates.Kind.expired, .otherName])
    func `an edge with the wrong certificate is refused`(kind: TestCertificates.Kind) async throws {
        await #expect {
            try await TestLink.make(certificate: kind) { $0.refuse() }
        } throws: { ($0 as? LinkError)?.code == .certificateRefused }
    }

    @Test func `a server that does not speak TLS is named`() async throws {
        let origin = try await TestOrigin.raw { _, channel in
            channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n\r\n"), promise: nil)
        }
        await #expect { try await Self.dial(origin) } throws: { ($0 as? LinkError)?.code == .handshakeFailed }
        await origin.stop()
    }

    @Test func `a server that speaks TLS and not HTTP2 breaks the protocol`() async throws {
        let tls = try TestCertificates.shared.get().server()
        let origin = try await TestOrigin.start(tls: tls) { channel in
            try channel.pipeline.syncOperations.addHandler(
                Greeter("SSH-2.0-OpenSSH_9.2p1 Debian-2 and some more text\r\n"))
        }
        await #expect { try await Self.dial(origin) } throws: { error in
            guard let error = error as? LinkError else { return false }
            return error.code == .protocolViolation && error.description.contains("--edge must name that port")
                && !error.description.contains("file:")
        }
        await origin.stop()
    }

    @Test func `a server that says nothing is given up in time`() async throws {
        let origin = try await TestOrigin.start { _ in }
        var configuration = LinkConfiguration()
        configuration.dialTimeout = .milliseconds(100)
        configuration.startTimeout = .milliseconds(100)
        await #expect { try await Self.dial(origin, configuration) } throws: {
            ($0 as? LinkError)?.code == .silentStart
        }
        await origin.stop()
    }

    @Test func `garbage on the tunnel port ends that connection with words`() async throws {
        let error = try await Self.accept { client in
            client.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), promise: nil)
        }
        #expect(error.code == .handshakeFailed)
    }

    @Test func `a connector that connects and says nothing is dropped in time`() async throws {
        var configuration = LinkConfiguration()
        configuration.dialTimeout = .milliseconds(100)
        configuration.startTimeout = .milliseconds(100)
        let error = try await Self.accept(configuration) { _ in }
        #expect(error.code == .silentStart)
    }

    @Test func `a peer that stops answering pings is noticed`() async throws {
        var configuration = LinkConfiguration()
        configuration.pingInterval = .milliseconds(200)
        configuration.pingTimeout = .seconds(2)
        let link = try await TestLink.make(edge: configuration) { $0.refuse() }
        // The connector's socket is not read any more: its kernel still answers, its program does not.
        try await link.connector.channel.setOption(.autoRead, value: false).get()
        #expect(try await link.edge.ended.get().code == .peerSilent)
        await link.close()
    }

    @Test func `after a change of the network a peer that does not answer is given up, idle or not`() async throws {
        var configuration = LinkConfiguration()
        configuration.pingInterval = .hours(1)
        configuration.pingTimeout = .seconds(2)
        let link = try await TestLink.make(connector: configuration) { $0.refuse() }
        try await link.edge.channel.setOption(.autoRead, value: false).get()
        // Changes that go on and on do not put the end off. The first may still be answered by a read under way.
        let connector = link.connector
        let changes = connector.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { _ in
            connector.networkChanged(isSuspect: true)
        }
        let error = try await connector.ended.get()
        changes.cancel()
        #expect(error.code == .peerSilent)
        #expect(error.recovery == .retryElsewhere)
        await link.close()
    }

    @Test func `after a change of the network a link that works goes on`() async throws {
        var configuration = LinkConfiguration()
        configuration.pingTimeout = .seconds(30)
        let link = try await TestLink.make(connector: configuration) { stream in
            stream.respond(StreamResponse(status: 204))
            stream.finish(trailers: nil)
        }
        for turn in 0..<100 { link.connector.networkChanged(isSuspect: turn.isMultiple(of: 2)) }
        let answer = try await link.exchange(StreamRequest(kind: .http, authority: "www.test"))
        #expect(answer.response.status == 204)
        #expect(link.connector.channel.isActive)
        await link.close()
    }

    @Test func `the kernel gives up what nobody acknowledges as soon as the pings would`() async throws {
        let link = try await TestLink.make { $0.refuse() }
        let option = ChannelOptions.Types.SocketOption.tcpOption(NIOBSDSocket.Option(rawValue: 18))
        #expect(try await link.connector.channel.getOption(option).get() == 10_000)
        #expect(try await link.edge.channel.getOption(option).get() == 10_000)
        await link.close()
    }

    /// Says something as soon as TLS is up.
    private final class Greeter: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let text: String
        init(_ text: String) { self.text = text }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            context.channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }
    }
}
