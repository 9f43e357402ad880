import ByteStream
import Edge
import EdgeTransport
import Foundation
import NIOCore
import NIOHTTP1
import Testing
import TunnelWire

/// WebSockets through the edge: raw bytes after the upgrade, nothing re-framed.
@Suite(.timeLimit(.minutes(2)))
struct WebSocketTests {
    static let key = "dGhlIHNhbXBsZSBub25jZQ=="

    static func request(_ host: String = "open.site.test", _ more: String = "") -> String {
        "GET /ws HTTP/1.1\r\nHost: \(host)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\n\(more)\r\n"
    }

    /// Accepts as a connector does, then sends back what comes.
    static let accept: @Sendable (LinkStream) -> Void = { stream in
        guard stream.request.kind == .webSocket, let key = stream.request.headers.first(name: "sec-websocket-key")
        else {
            stream.refuse()
            return
        }
        stream.respond(
            StreamResponse(
                status: 101,
                headers: [
                    "Upgrade": "websocket", "Connection": "Upgrade",
                    "Sec-WebSocket-Accept": WebSocketHandshake.accept(forKey: key),
                ]))
        Serve.echoBody(stream)
    }

    @Test(arguments: [1, 2])
    func `An upgrade is accepted, and bytes pass as they are in both directions`(loops: Int) async throws {
        try await EdgeHarness.with(loops: loops) { edge in
            let connectors = try await [
                edge.connector(index: 0, serve: Self.accept), edge.connector(index: 1, serve: Self.accept),
            ]
            let visitor = try await edge.visitor()
            // The first bytes come together with the head: they must not be lost with the codec.
            try await visitor.send(Self.request() + "first")
            let head = try await visitor.received("first")
            #expect(head.hasPrefix("HTTP/1.1 101"))
            #expect(head.lowercased().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="))
            #expect(head.lowercased().contains("upgrade: websocket"))
            #expect(!head.lowercased().contains("transfer-encoding"))
            let payload = String(repeating: "0123456789abcdef", count: 1 << 18)
            try await visitor.send(payload + "end of it")
            let all = try await visitor.received("end of it")
            #expect(all.hasSuffix("first" + payload + "end of it"))
            try await visitor.close()
            for connector in connectors { try await connector.close() }
        }
    }

    @Test
    func `An upgrade that the origin declines is answered as any request`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.answer(401, ["content-length": "2"], body: "no"))
            let visitor = try await edge.visitor()
            try await visitor.send(Self.request())
            let answer = try await visitor.end()
            #expect(answer.hasPrefix("HTTP/1.1 401"))
            #expect(answer.hasSuffix("\r\n\r\nno"))
            try await connector.close()
        }
    }

    @Test
    func `When either side goes away, the other is told`() async throws {
        try await EdgeHarness.with { edge in
            let (streams, arrived) = AsyncStream.makeStream(of: LinkStream.self)
            let connector = try await edge.connector { stream in
                Self.accept(stream)
                arrived.yield(stream)
            }
            var arrivals = streams.makeAsyncIterator()
            let leaving = try await edge.visitor()
            try await leaving.send(Self.request() + "x")
            _ = try await leaving.received("\r\n\r\nx")
            let first = try #require(await arrivals.next())
            try await leaving.close()
            try await first.eventLoop.flatSubmit { first.ended }.get()

            let left = try await edge.visitor()
            try await left.send(Self.request() + "x")
            _ = try await left.received("\r\n\r\nx")
            let second = try #require(await arrivals.next())
            second.eventLoop.execute { second.abort() }
            #expect(try await left.end().hasSuffix("x"))
            try await connector.close()
        }
    }

    @Test
    func `A visitor that leaves before the upgrade is answered takes the stream along`() async throws {
        try await EdgeHarness.with { edge in
            let (streams, arrived) = AsyncStream.makeStream(of: EndWatcher.self)
            let connector = try await edge.connector { stream in
                let watcher = EndWatcher(on: stream.eventLoop)
                stream.attach(watcher)
                arrived.yield(watcher)
            }
            let visitor = try await edge.visitor()
            try await visitor.send(Self.request())
            var arrivals = streams.makeAsyncIterator()
            let watcher = try #require(await arrivals.next())
            try await visitor.close()
            #expect(try await watcher.ended.futureResult.get() != nil)
            try await connector.close()
        }
    }

    @Test(arguments: [
        ("", "HTTP/1.1 101"), ("Origin: https://guarded.site.test\r\n", "HTTP/1.1 101"),
        ("Origin: https://guarded.site.test:8443\r\n", "HTTP/1.1 101"),
        ("Origin: https://evil.test\r\n", "HTTP/1.1 403"), ("Origin: null\r\n", "HTTP/1.1 403"),
        ("Origin: http://guarded.site.test\r\n", "HTTP/1.1 403"),
    ])
    func `A guarded host takes no WebSockets from pages of other sites`(origin: String, status: String) async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Self.accept)
            let visitor = try await edge.visitor("guarded.site.test")
            let token =
                "Cf-Access-Client-Id: visitor.access\r\nCf-Access-Client-Secret: \(EdgeHarness.serviceSecret)\r\n"
            try await visitor.send(Self.request("guarded.site.test", token + origin))
            #expect(try await visitor.received("\r\n\r\n").hasPrefix(status))
            try await visitor.close()
            try await connector.close()
        }
    }
}
