import ByteStream
import EdgeTransport
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceHost
import TestKit
import Testing
import TunnelConfig
import TunnelWire

@testable import Connector

@Suite(.timeLimit(.minutes(2))) struct StreamProxyStreamTests {
    @Test func `a stream service is dialled, answered as an upgrade, and carries bytes both ways`() async throws {
        let origin = try await TestOrigin.echo()
        let bench = try await ProxyBench.make(origin.stream("rdp"))
        let (visitor, response) = try await bench.openWebSocket()
        #expect(response.status == 200)
        #expect(response.isUpgrade)
        #expect(response.headers["sec-websocket-accept"] == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])
        #expect(response.headers["upgrade"] == ["websocket"])
        let body = ByteBuffer(repeating: 7, count: 8 << 20)
        visitor.send(body, end: true)
        let end = try await visitor.closed()
        #expect(end == nil, "\(bench.log.entries(.debug))")
        let echoed = try await visitor.body()
        #expect(echoed.readableBytes == body.readableBytes)
        #expect(echoed == body)
        #expect(try await visitor.closed() == nil)
        try await bench.idle()
        #expect(bench.metrics.tcpTotalSessions.value == 1)
        await bench.link.close()
        await origin.stop()
    }

    @Test func `without a key the answer has no upgrade headers`() async throws {
        let origin = try await TestOrigin.echo()
        let bench = try await ProxyBench.make(origin.stream("ssh"))
        let visitor = try await bench.link.open(StreamRequest(kind: .webSocket, authority: "ssh.test"))
        let response = try await visitor.response
        #expect(response.status == 200)
        #expect(response.headers.isEmpty)
        visitor.abort()
        await bench.link.close()
        await origin.stop()
    }

    @Test func `a client that ends its direction still gets the whole answer`() async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes == 0 else { return }
            channel.finish(ByteBuffer(repeating: 9, count: 4 << 20))
        }
        let bench = try await ProxyBench.make(origin.stream("tcp"))
        let (visitor, _) = try await bench.openWebSocket()
        visitor.send(ByteBuffer(string: "question"), end: true)
        #expect(try await visitor.body().readableBytes == 4 << 20)
        #expect(try await visitor.closed() == nil)
        await bench.link.close()
        await origin.stop()
    }

    @Test func `an origin that ends its direction still receives`() async throws {
        let got = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: ByteBuffer.self)
        let origin = try await TestOrigin.raw { bytes, channel in
            if bytes == ByteBuffer(string: "first") {
                channel.finish(ByteBuffer(string: "enough"))
            } else if bytes.readableBytes > 0 {
                got.succeed(bytes)
            }
        }
        let bench = try await ProxyBench.make(origin.stream("tcp"))
        let (visitor, _) = try await bench.openWebSocket()
        visitor.send(ByteBuffer(string: "first"))
        #expect(try await visitor.body() == ByteBuffer(string: "enough"))
        visitor.send(ByteBuffer(string: "late"))
        #expect(try await got.futureResult.get() == ByteBuffer(string: "late"))
        visitor.finish()
        #expect(try await visitor.closed() == nil)
        await bench.link.close()
        await origin.stop()
    }

    @Test func `a browser at a stream service is told the command`() async throws {
        let bench = try await ProxyBench.make(.tcp(scheme: "rdp", host: "127.0.0.1", port: 1))
        let answer = try await bench.link.exchange(
            StreamRequest(kind: .http, method: "POST", authority: "rdp.test:443"), body: ByteBuffer(string: "x"))
        #expect(answer.response.status == 426)
        #expect(answer.response.source == .connector)
        #expect(String(buffer: answer.body).contains("cloudflared access rdp --hostname rdp.test --url localhost:3389"))
        await bench.link.close()
    }

    @Test func `a desktop that refuses is 502 with the remedy in the log`() async throws {
        let origin = try await TestOrigin.echo()
        let service = origin.stream("rdp")
        await origin.stop()
        let bench = try await ProxyBench.make(service)
        let visitor = try await bench.link.open(
            StreamRequest(kind: .webSocket, authority: "rdp.test", headers: ["sec-websocket-key": "x"]))
        #expect(try await visitor.response.status == 502)
        #expect(try await visitor.response.source == .connector)
        try await bench.idle()
        let error = bench.log.entries(.error).first?.metadata["error"].map { "\($0)" }
        #expect(error?.contains("is RDP enabled on it and listening there?") ?? false)
        #expect(bench.metrics.connectErrors.value == 1)
        await bench.link.close()
    }

    // MARK: Upgrades at HTTP origins

    @Test func `an upgrade at an HTTP origin carries raw bytes both ways`() async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            if bytes.readableBytes == 0 {
                channel.finish()
            } else if String(buffer: bytes).hasPrefix("GET") {
                let text =
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Accept: abc\r\n\r\nhello"
                channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            } else {
                channel.writeAndFlush(bytes, promise: nil)
            }
        }
        let bench = try await ProxyBench.make(origin.service)
        let visitor = try await bench.link.open(
            StreamRequest(kind: .webSocket, path: "/ws", authority: "app.test", headers: ["sec-websocket-key": "x"]))
        let response = try await visitor.response
        #expect(response.status == 200)
        #expect(response.isUpgrade)
        #expect(response.headers["sec-websocket-accept"] == ["abc"])
        visitor.send(ByteBuffer(string: "-more"), end: true)
        #expect(try await visitor.body() == ByteBuffer(string: "hello-more"))
        #expect(try await visitor.closed() == nil)
        await bench.link.close()
        await origin.stop()
    }

    @Test func `an upgrade that the origin does not take is an ordinary answer`() async throws {
        let origin = try await TestOrigin.http { _ in
            .response(.forbidden, ["Upgrade": "h2c"], body: ByteBuffer(string: "no"))
        }
        let bench = try await ProxyBench.make(origin.service)
        let visitor = try await bench.link.open(
            StreamRequest(kind: .webSocket, authority: "app.test", headers: ["sec-websocket-key": "x"]))
        let answer = try await visitor.answer()
        #expect(answer.response.status == 403)
        #expect(!answer.response.isUpgrade)
        #expect(answer.body == ByteBuffer(string: "no"))
        await bench.link.close()
        await origin.stop()
    }

    // MARK: Bastion and addresses

    @Test func `a bastion reaches what its list allows and nothing else`() async throws {
        let origin = try await TestOrigin.echo()
        let bench = try await ProxyBench.make(.bastion) {
            $0.bastionAllow = try DestinationAllowList(["127.0.0.1:\(origin.port)"])
        }
        let (visitor, response) = try await bench.openWebSocket([
            ("cf-access-jump-destination", "rdp://127.0.0.1:\(origin.port)")
        ])
        #expect(response.status == 200)
        visitor.send(ByteBuffer(string: "x"), end: true)
        #expect(try await visitor.body() == ByteBuffer(string: "x"))
        for (destination, status) in [("127.0.0.1:1", 403), ("10.0.0.1:\(origin.port)", 403), ("a b", 400), ("", 400)] {
            let refused = try await bench.link.open(
                StreamRequest(
                    kind: .webSocket, authority: "b.test", headers: ["cf-access-jump-destination": destination]))
            let answer = try await refused.answer()
            #expect(answer.response.status == status, "\(destination)")
            #expect(answer.body.readableBytes > 0)
        }
        #expect(origin.connections == 1)
        #expect(bench.log.entries(.info).map { $0.metadata["dest"] } == ["127.0.0.1:\(origin.port)"])
        #expect(bench.log.entries(.error).count == 4)
        await bench.link.close()
        await origin.stop()
    }

    @Test func `a TCP stream is refused unless its address is allowed`() async throws {
        let origin = try await TestOrigin.echo()
        let address = "127.0.0.1:\(origin.port)"
        let closed = try await ProxyBench.make(.helloWorld)
        let refused = try await closed.link.open(StreamRequest(kind: .tcp, authority: address))
        #expect(try await refused.response.status == 502)
        await closed.link.close()

        var settings = StreamProxy.Settings()
        settings.privateNetwork = try DestinationAllowList([address])
        let bench = try await ProxyBench.make([], settings: settings)
        let visitor = try await bench.link.open(
            StreamRequest(kind: .tcp, authority: address), body: ByteBuffer(string: "early"))
        #expect(try await visitor.response.status == 200)
        #expect(try await visitor.response.headers.isEmpty)
        #expect(try await visitor.body() == ByteBuffer(string: "early"))
        for other in ["localhost:\(origin.port)", "127.0.0.1:1", "nonsense"] {
            let refused = try await bench.link.open(StreamRequest(kind: .tcp, authority: other))
            #expect(try await refused.response.status >= 400)
        }
        #expect(origin.connections == 1)
        await bench.link.close()
        await origin.stop()
    }
}
