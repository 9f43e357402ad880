import EdgeTransport
import Logging
import NIOCore
import NIOPosix
import TestKit
import Testing
import TunnelConfig
import TunnelWire

@testable import Connector

@Suite(.timeLimit(.minutes(1))) struct StreamProxySOCKSTests {
    private func request(to host: [UInt8], _ port: Int) -> ByteBuffer {
        ByteBuffer(bytes: [5, 1, 0, 5, 1, 0] + host + [UInt8(port >> 8), UInt8(port & 0xFF)])
    }

    private func rule(_ prefix: String, ports: [Int] = [], allow: Bool = true) throws -> OriginRequest.IPRule {
        .init(prefix: try #require(IPPrefix(prefix)), ports: ports, allow: allow)
    }

    private static let loopback: [UInt8] = [1, 127, 0, 0, 1]
    private static let localhost: [UInt8] = [3, 9] + Array("localhost".utf8)

    @Test(arguments: [loopback, localhost])
    func `a client of the SOCKS proxy gets where ipRules let it, by address or name`(host: [UInt8]) async throws {
        let origin = try await TestOrigin.echo()
        let bench = try await ProxyBench.make(.socksProxy) {
            $0.ipRules = [try rule("127.0.0.0/8", ports: [origin.port])]
        }
        let (visitor, response) = try await bench.openWebSocket()
        #expect(response.isUpgrade)
        // What is said before the answer is not lost.
        var bytes = request(to: host, origin.port)
        bytes.writeString("early ")
        visitor.send(bytes)
        let reply = try await visitor.bytes(2 + 10 + 6)
        #expect(Array(reply.readableBytesView.prefix(9)) == [5, 0, 5, 0, 0, 1, 127, 0, 0])
        visitor.send(ByteBuffer(string: "late"), end: true)
        #expect(String(buffer: try await visitor.body()).hasSuffix("early late"))
        #expect(try await visitor.closed() == nil)
        try await bench.idle()
        await bench.link.close()
        await origin.stop()
    }

    @Test func `what no rule allows is answered as forbidden and never dialled`() async throws {
        let origin = try await TestOrigin.echo()
        let port = origin.port
        let bench = try await ProxyBench.make(.socksProxy) {
            $0.ipRules = [
                try rule("127.0.0.0/8", allow: false), try rule("0.0.0.0/0"), try rule("::/0", ports: [1]),
            ]
        }
        let mapped: [UInt8] = [4] + Array(repeating: 0, count: 10) + [255, 255, 127, 0, 0, 1]
        for host in [Self.loopback, Self.localhost, [1, 0, 0, 0, 0], mapped] {
            let (visitor, _) = try await bench.openWebSocket()
            visitor.send(request(to: host, port))
            #expect(Array(try await visitor.body().readableBytesView.prefix(4)) == [5, 0, 5, 2], "\(host)")
            visitor.finish()
        }
        try await bench.idle()
        #expect(origin.connections == 0)
        let error = bench.log.entries(.error).first?.metadata["error"].map { "\($0)" }
        #expect(error?.contains("no rule in ipRules allows") ?? false)
        await bench.link.close()
        await origin.stop()
    }

    @Test func `nothing listens there: the client is told so`() async throws {
        let origin = try await TestOrigin.echo()
        let port = origin.port
        await origin.stop()
        let bench = try await ProxyBench.make(.socksProxy) { $0.ipRules = [try rule("127.0.0.1/32")] }
        let (visitor, _) = try await bench.openWebSocket()
        visitor.send(request(to: Self.loopback, port))
        #expect(Array(try await visitor.body().readableBytesView.prefix(4)) == [5, 0, 5, 5])
        visitor.finish()
        await bench.link.close()
    }

    @Test func `proxyType socks answers SOCKS5 and leads to the rule's own service`() async throws {
        let origin = try await TestOrigin.echo()
        let bench = try await ProxyBench.make(origin.stream("tcp")) { $0.proxyType = "socks" }
        let (visitor, _) = try await bench.openWebSocket()
        visitor.send(request(to: [1, 192, 0, 2, 1], 9))
        visitor.send(ByteBuffer(string: "hello"), end: true)
        let body = try await visitor.body()
        #expect(Array(body.readableBytesView.prefix(4)) == [5, 0, 5, 0])
        #expect(String(decoding: body.readableBytesView.suffix(5), as: UTF8.self) == "hello")
        #expect(origin.connections == 1)
        await bench.link.close()
        await origin.stop()
    }

    @Test func `a client that names no destination does not hold the origin for ever`() async throws {
        let ended = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes == 0 else { return }
            channel.close(promise: nil)
            ended.succeed()
        }
        var settings = StreamProxy.Settings()
        settings.socksPatience = .milliseconds(50)
        let bench = try await ProxyBench.make(origin.stream("tcp"), settings: settings) { $0.proxyType = "socks" }
        let (visitor, _) = try await bench.openWebSocket()
        visitor.send(ByteBuffer(bytes: [5, 1]))
        #expect(try await visitor.closed() != nil)
        try await ended.futureResult.get()
        try await bench.idle()
        await bench.link.close()
        await origin.stop()
    }
}
