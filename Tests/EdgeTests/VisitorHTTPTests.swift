import ByteStream
import Edge
import EdgeTransport
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

/// Visitors over real TLS, a real link, a connector in the test.
@Suite(.timeLimit(.minutes(2)))
struct VisitorHTTPTests {
    static let chunk = Data((0..<(16 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) })

    @Test(arguments: ["--http1.1", "--http2"])
    func `A request reaches the connector as the visitor sent it, and the answer comes back`(version: String)
        async throws
    {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.description)
            let answer = try await edge.curl(
                "open.site.test", "/a/b?c=d",
                [
                    version, "-H", "X-Own: 1", "-H", "Cookie: a=b; CF_AppSession=c; d=e", "-H",
                    "Cf-Access-Jwt-Assertion: forged",
                    "-H", "Cf-Access-Token: t", "-H", "cf-cloudflared-proxy-src: tcp", "-H", "X-Forwarded-For: 9.9.9.9",
                ])
            #expect(answer.status == 200)
            #expect(answer.version == (version == "--http2" ? "2" : "1.1"))
            #expect(answer.text.hasPrefix("GET /a/b?c=d http open.site.test:\(edge.httpsPort)\n"))
            #expect(answer.text.contains("\nx-own: 1\n"))
            #expect(answer.text.contains("\ncookie: a=b; d=e\n"))
            #expect(answer.text.contains("\nx-forwarded-for: 9.9.9.9, 127.0.0.1\n"))
            #expect(answer.text.contains("\ncf-connecting-ip: 127.0.0.1\n"))
            #expect(answer.text.contains("\nx-forwarded-proto: https\n"))
            #expect(answer.text.contains(/\ncf-ray: [0-9a-f]{16}\n/))
            #expect(answer.text.hasSuffix("body 0 bytes"))
            for gone in ["forged", "cf-access-token", "cf-cloudflared", "\nhost:"] {
                #expect(!answer.text.contains(gone), "\(gone)")
            }
            #expect(answer.head.lowercased().contains("content-type: text/plain"))
            try await connector.close()
        }
    }

    @Test(arguments: ["--http1.1", "--http2"], [1, 2])
    func `16 MiB go up and come down unchanged`(version: String, loops: Int) async throws {
        try await EdgeHarness.with(loops: loops) { edge in
            let connectors = try await [
                edge.connector(index: 0, serve: Serve.echo), edge.connector(index: 1, serve: Serve.echo),
            ]
            for coding in ["content-length: \(Self.chunk.count)", "transfer-encoding: chunked"]
            where version == "--http1.1" || coding.hasPrefix("content") {
                let answer = try await edge.curl(
                    "open.site.test", "/", [version, "-H", coding, "-H", "expect:"], input: Self.chunk)
                #expect(answer.exit == 0)
                #expect(answer.status == 200)
                #expect(answer.body == Self.chunk)
            }
            for connector in connectors { try await connector.close() }
        }
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func `A visitor that asks for leave to upload gets it once the connector takes the body`(version: String)
        async throws
    {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.echo)
            let answer = try await edge.curl(
                "open.site.test", "/", [version, "-H", "expect: 100-continue", "--expect100-timeout", "50"],
                input: Data("hello".utf8))
            #expect(answer.head.hasPrefix(version == "--http2" ? "HTTP/2 100" : "HTTP/1.1 100"))
            #expect(answer.text == "hello")
            try await connector.close()
        }
    }

    @Test
    func `Pipelined requests are answered in order on one connection`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector { stream in
                let path = stream.request.path
                Serve.gather(stream) { body, _ in
                    Serve.answer(200, ["content-length": "\(path.utf8.count)"], body: path)(stream)
                }
            }
            let visitor = try await edge.visitor()
            let requests = (1...20).map { number in
                number % 3 == 0
                    ? "POST /\(number) HTTP/1.1\r\nHost: open.site.test\r\nContent-Length: 5\r\n\r\nhello"
                    : "GET /\(number) HTTP/1.1\r\nHost: open.site.test\r\n\r\n"
            }
            try await visitor.send(requests.joined())
            let answers = try await visitor.received("\r\n\r\n/20")
            #expect(answers.components(separatedBy: "HTTP/1.1 200 OK").count == 21)
            let order = (1...20).compactMap { answers.range(of: "\r\n\r\n/\($0)")?.lowerBound }
            #expect(order.count == 20)
            #expect(order == order.sorted())
            try await visitor.close()
            try await connector.close()
        }
    }

    @Test
    func `Answers without a body end with their head, and the connection goes on`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector { stream in
                switch stream.request.path {
                case "/204": Serve.answer(204)(stream)
                case "/304": Serve.answer(304, ["content-length": "9", "etag": "x"])(stream)
                case "/head": Serve.answer(200, ["content-length": "9"])(stream)
                case "/unknown": Serve.answer(200)(stream)
                default: Serve.answer(200, ["content-length": "4"], body: "last")(stream)
                }
            }
            let visitor = try await edge.visitor()
            let host = "Host: open.site.test\r\n\r\n"
            try await visitor.send(
                "GET /204 HTTP/1.1\r\n\(host)GET /304 HTTP/1.1\r\n\(host)HEAD /head HTTP/1.1\r\n\(host)"
                    + "HEAD /unknown HTTP/1.1\r\n\(host)GET / HTTP/1.1\r\n\(host)")
            let answers = try await visitor.received("last")
            let heads = answers.components(separatedBy: "\r\n\r\n")
            #expect(heads.count == 6)
            #expect(
                heads.map { $0.prefix(12) } == [
                    "HTTP/1.1 204", "HTTP/1.1 304", "HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 200", "last",
                ])
            #expect(!heads[3].lowercased().contains("transfer-encoding"))
            try await visitor.close()
            try await connector.close()
        }
    }

    @Test
    func `Trailers pass both ways`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.description)
            let visitor = try await edge.visitor()
            try await visitor.send(
                "POST / HTTP/1.1\r\nHost: open.site.test\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
                    + "5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n")
            let answer = try await visitor.received("x-end: yes")
            #expect(answer.contains("trailer x-sum: 42"))
            #expect(answer.contains("\r\n0\r\nx-end: yes\r\n"))
            try await visitor.close()
            try await connector.close()
        }
    }

    @Test
    func `HTTP/1.0 gets an answer that ends with the connection`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.answer(body: "old"))
            let visitor = try await edge.visitor()
            try await visitor.send("GET / HTTP/1.0\r\nHost: open.site.test\r\n\r\n")
            let answer = try await visitor.end()
            #expect(answer.hasPrefix("HTTP/1.0 200"))
            #expect(answer.contains("connection: close"))
            #expect(answer.hasSuffix("\r\n\r\nold"))
            try await connector.close()
        }
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func `An answer that comes before the upload is over reaches the visitor`(version: String) async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.answer(413, ["content-length": "5"], body: "large"))
            let answer = try await edge.curl("open.site.test", "/", [version, "-H", "expect:"], input: Self.chunk)
            #expect(answer.status == 413)
            #expect(answer.text == "large")
            try await connector.close()
        }
    }

    @Test
    func `A visitor that leaves takes its stream along`() async throws {
        try await EdgeHarness.with { edge in
            let (streams, arrived) = AsyncStream.makeStream(of: EndWatcher.self)
            let connector = try await edge.connector { stream in
                let watcher = EndWatcher(on: stream.eventLoop)
                stream.attach(watcher)
                arrived.yield(watcher)
            }
            for request in ["GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nContent-Length: 100\r\n"] {
                let visitor = try await edge.visitor()
                try await visitor.send(request + "Host: open.site.test\r\n\r\n")
                for await watcher in streams {
                    try await visitor.close()
                    #expect(try await watcher.ended.futureResult.get() != nil)
                    break
                }
            }
            try await connector.close()
        }
    }

    @Test(arguments: ["--http1.1", "--http2"], ["content-length: 100", "x-length: unknown"])
    func `An answer that breaks off is not taken for complete`(version: String, header: String) async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector { stream in
                let pair = header.split(separator: ": ").map(String.init)
                stream.respond(StreamResponse(status: 200, headers: [pair[0]: pair[1]]))
                stream.write(ByteBuffer(string: "half"))
                stream.flush()
                stream.abort()
            }
            let answer = try await edge.curl("open.site.test", "/", [version])
            #expect(answer.exit != 0)
            try await connector.close()
        }
    }

    @Test
    func `An answer shorter than it said is broken off`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.answer(200, ["content-length": "10"], body: "short"))
            let answer = try await edge.curl("open.site.test")
            #expect(answer.exit != 0 || answer.status == 502)
            try await connector.close()
        }
    }

    @Test
    func `A slow visitor stops the connector instead of filling memory`() async throws {
        try await EdgeHarness.with { edge in
            let (stopped, stop) = AsyncStream.makeStream(of: Int.self)
            let connector = try await edge.connector { stream in
                stream.respond(StreamResponse(status: 200))
                var sent = 0
                // Far more than sockets and windows on the way can hold.
                while stream.isWritable, sent < 256 << 20 {
                    stream.write(ByteBuffer(repeating: 7, count: 64 << 10))
                    stream.flush()
                    sent += 64 << 10
                }
                stop.yield(sent)
            }
            let visitor = try await edge.visitor()
            // TLS needs both directions first.
            try await visitor.send("GET / HTTP/1.1\r\nHost: nowhere.site.test\r\n\r\n")
            _ = try await visitor.received("HTTP/1.1 421")
            try await visitor.channel.setOption(.autoRead, value: false).get()
            try await visitor.send("GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n")
            for await sent in stopped {
                #expect(sent < 64 << 20)
                break
            }
            try await visitor.close()
            try await connector.close()
        }
    }

    @Test
    func `A connector that goes away before it answers is told to the visitor`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector { $0.abort() }
            var answer = try await edge.curl("open.site.test")
            #expect(answer.status == 502)
            #expect(answer.text.contains("could not reach the origin"))
            try await connector.close()
            // The link breaks under the request.
            let link = Mutex<HTTP2Link?>(nil)
            let silent = try await edge.connector { _ in link.withLock { $0 }?.close() }
            link.withLock { $0 = silent.link }
            answer = try await edge.curl("open.site.test")
            #expect(answer.status == 502)
            #expect(answer.text.contains("gave no answer"))
            try await silent.close()
        }
    }

    @Test
    func `An origin that does not answer in time is told to the visitor`() async throws {
        var limits = EdgeLimits()
        limits.responseHead = .milliseconds(50)
        try await EdgeHarness.with(limits: limits) { edge in
            let connector = try await edge.connector { _ in }
            let answer = try await edge.curl("open.site.test")
            #expect(answer.status == 504)
            #expect(answer.text.contains("did not answer"))
            try await connector.close()
        }
    }
}
