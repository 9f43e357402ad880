import AccessPolicy
import Edge
import EdgeStore
import EdgeTransport
import Foundation
import NIOCore
import NIOHTTP1
import Testing

/// What the edge answers itself.
@Suite(.timeLimit(.minutes(2)))
struct GateDecisionTests {
    @Test
    func `A host that nobody has opened is closed, and the answer says how to open it`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.answer(body: "through"))
            var answer = try await edge.curl("closed.site.test")
            #expect(answer.status == 403)
            #expect(answer.text.contains("cloudflared-edge access app add closed.site.test --open"))
            // No waiting for the next look at the store.
            try await edge.store.open("closed.site.test")
            answer = try await edge.curl("closed.site.test")
            #expect(answer.text == "through")
            try await connector.close()
        }
    }

    @Test
    func `Unknown hosts and tunnels without connector are told apart`() async throws {
        try await EdgeHarness.with { edge in
            let unknown = try await edge.curl("nowhere.site.test", "/", ["-H", "accept: text/html"])
            #expect(unknown.status == 404)
            #expect(unknown.text.contains("route add nowhere.site.test"))
            #expect(unknown.head.lowercased().contains("content-type: text/html"))
            let idle = try await edge.curl("idle.site.test")
            #expect(idle.status == 530)
            #expect(idle.text.contains("cloudflared tunnel run idle"))
            #expect(idle.head.lowercased().contains("retry-after:"))
        }
    }

    static let id = "Cf-Access-Client-Id: "
    static let secret = "Cf-Access-Client-Secret: "

    static let presented: [[String]] = [
        [],
        [id + "visitor.access"],
        [secret + EdgeHarness.serviceSecret],
        [id + "visitor.access", secret + "wrong"],
        [id + "unknown.access", secret + EdgeHarness.serviceSecret],
        [id + "old.access", secret + EdgeHarness.serviceSecret],
        [id + "other.access", secret + EdgeHarness.serviceSecret],
        [id + "visitor.access", id + "visitor.access", secret + EdgeHarness.serviceSecret],
        [id + "visitor.access", secret + EdgeHarness.serviceSecret],
    ]

    @Test(arguments: presented.indices)
    func `A guarded host lets those with the right service token in`(number: Int) async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.description)
            let answer = try await edge.curl("guarded.site.test", "/", Self.presented[number].flatMap { ["-H", $0] })
            #expect(answer.status == (number == Self.presented.count - 1 ? 200 : 403))
            #expect(!answer.text.contains(EdgeHarness.serviceSecret))
            #expect(!answer.text.contains("cf-access-client"))
            try await connector.close()
        }
    }

    @Test
    func `The connector's own refusal becomes a page that names it`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector { stream in
                stream.refuse(flowRateLimited: stream.request.path == "/busy")
            }
            let refused = try await edge.curl("open.site.test", "/", ["-d", "some body"])
            #expect(refused.status == 502)
            #expect(refused.text.contains("could not reach the origin"))
            #expect(try await edge.curl("open.site.test", "/busy").status == 503)
            try await connector.close()
        }
    }

    @Test
    func `Headers that would break the framing give 502, not what they carry`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(
                serve: Serve.answer(200, ["x": "a\r\nset-cookie: stolen"], body: "b"))
            let answer = try await edge.curl("open.site.test")
            #expect(answer.status == 502)
            #expect(!answer.head.contains("stolen"))
            try await connector.close()
        }
    }

    @Test
    func `A request for another host than the TLS connection was made for is sent away`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.answer(body: "through"))
            let other = try await edge.visitor("closed.site.test")
            try await other.send("GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n")
            #expect(try await other.received("\r\n\r\n").hasPrefix("HTTP/1.1 421"))
            try await other.close()
            // A name that is not ours says nothing about the host.
            let override = try await edge.visitor("localhost")
            try await override.send("GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n")
            #expect(try await override.received("through").hasPrefix("HTTP/1.1 200"))
            try await override.close()
            try await connector.close()
        }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: open.site.test\r\nHost: closed.site.test\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: open.site.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: open.site.test\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nHost: open.site.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: open.site.test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: open.site.test\r\n X: folded\r\n\r\n",
        "GET http://closed.site.test/ HTTP/1.1\r\nHost: open.site.test\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: open.site.test\r\n\r\n",
        "\u{1}\u{2}\u{3} what is this\r\n\r\n",
    ])
    func `Requests that could smuggle another, and garbage, are refused and the connection ends`(bytes: String)
        async throws
    {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.answer(body: "through"))
            let visitor = try await edge.visitor()
            try await visitor.send(bytes + "GET /smuggled HTTP/1.1\r\nHost: open.site.test\r\n\r\n")
            let answer = try await visitor.end()
            #expect(answer.hasPrefix("HTTP/1.1 400"))
            #expect(answer.components(separatedBy: "HTTP/1.1 400").count == 2)
            #expect(!answer.contains("through"))
            try await connector.close()
        }
    }

    @Test(arguments: [
        "X: " + String(repeating: "a", count: 70 << 10),
        (0..<300).map { "X-\($0): 1" }.joined(separator: "\r\n"),
        (0..<100).map { "X-\($0): " + String(repeating: "a", count: 1 << 10) }.joined(separator: "\r\n"),
    ])
    func `A request head that is too large is refused`(fields: String) async throws {
        try await EdgeHarness.with { edge in
            let visitor = try await edge.visitor()
            try await visitor.send("GET / HTTP/1.1\r\nHost: open.site.test\r\n\(fields)\r\n\r\n")
            #expect(try await visitor.end().hasPrefix("HTTP/1.1 431"))
        }
    }

    @Test
    func `Whoever speaks something else to the ports is turned away, and the edge serves on`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.answer(body: "through"))
            for port in [edge.httpsPort, edge.tunnelPort] {
                for bytes in [
                    "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
                    String(repeating: "\u{16}\u{3}", count: 40_000),
                ] {
                    let stranger = try await RawVisitor.connect(port: port, serverName: nil, authorityFile: nil)
                    try? await stranger.send(bytes)
                    let answer = try await stranger.end()
                    if port == edge.httpsPort, bytes.hasPrefix("GET") { #expect(answer.contains("HTTPS only")) }
                }
            }
            // A probe of the official connector: TLS, then nothing.
            let probe = try await RawVisitor.connect(
                port: edge.tunnelPort, serverName: "h2.cftunnel.com", authorityFile: edge.directory.path(of: .authority)
            )
            _ = try await probe.received("PRI * HTTP/2.0")
            try await probe.close()
            #expect(try await edge.curl("open.site.test").text == "through")
            try await connector.close()
        }
    }

    @Test
    func `A visitor that says nothing, or only half of it, is not waited for`() async throws {
        var limits = EdgeLimits()
        limits.visitorHandshake = .milliseconds(500)
        limits.requestHead = .milliseconds(50)
        try await EdgeHarness.with(limits: limits) { edge in
            let silent = try await RawVisitor.connect(port: edge.httpsPort, serverName: nil, authorityFile: nil)
            #expect(try await silent.end().isEmpty)
            let half = try await edge.visitor()
            try? await half.send("GET / HTTP/1.1\r\nHost: open")
            #expect(try await half.end().isEmpty)
        }
    }

    @Test
    func `A connection that is kept for more requests is not kept for ever`() async throws {
        var limits = EdgeLimits()
        limits.keepAlive = .milliseconds(50)
        try await EdgeHarness.with(limits: limits) { edge in
            let connector = try await edge.connector(serve: Serve.answer(body: "through"))
            let idle = try await edge.visitor()
            try await idle.send("GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n")
            #expect(try await idle.end().contains("through"))
            try await connector.close()
        }
    }

    @Test
    func `More visitors than allowed are turned away`() async throws {
        var limits = EdgeLimits()
        limits.visitorConnections = 1
        try await EdgeHarness.with(limits: limits) { edge in
            let first = try await edge.visitor()
            try await first.send("GET / HTTP/1.1\r\nHost: nowhere.site.test\r\n\r\n")
            _ = try await first.received("HTTP/1.1 421")
            let second = try await RawVisitor.connect(port: edge.httpsPort, serverName: nil, authorityFile: nil)
            #expect(try await second.end().isEmpty)
            try await first.close()
        }
    }
}

/// The account API behind the visitors' port.
@Suite(.timeLimit(.minutes(2)))
struct AccountCallTests {
    static let echo: AccountAPI = { request in
        let authorization = request.headers.first(name: "authorization") ?? "none"
        let words = [request.method, request.path, authorization, String(buffer: request.body)]
        let text = words.joined(separator: " ")
        return AccountResponse(
            status: 200, headers: ["content-type": "application/json"], body: ByteBuffer(string: text))
    }

    @Test(arguments: ["api.site.test", "localhost", "127.0.0.1"], ["--http1.1", "--http2"])
    func `The account API answers under its name and under the listener's own address`(host: String, version: String)
        async throws
    {
        try await EdgeHarness.with(account: Self.echo) { edge in
            let answer = try await edge.curl(
                host, "/client/v4/x?y=1", [version, "-H", "authorization: Bearer t", "-X", "PUT"],
                input: Data("body".utf8))
            #expect(answer.status == 200)
            #expect(answer.text == "PUT /client/v4/x?y=1 Bearer t body")
            #expect(answer.head.lowercased().contains("content-type: application/json"))
        }
    }

    @Test
    func `Bodies over the limit, and answers that take too long, end`() async throws {
        var limits = EdgeLimits()
        limits.accountAnswer = .milliseconds(200)
        let hang: AccountAPI = { _ in
            // Never answers; ends when it is given up.
            let (silence, end) = AsyncStream<Void>.makeStream()
            for await _ in silence {}
            end.finish()
            return AccountResponse(status: 200, headers: [:], body: ByteBuffer())
        }
        try await EdgeHarness.with(limits: limits, account: hang) { edge in
            let large = try await edge.curl(
                "api.site.test", "/", ["-H", "expect:", "-H", "authorization: Bearer t"],
                input: Data(repeating: 7, count: limits.accountBodyBytes + 1))
            #expect(large.status == 413)
            #expect(try await edge.curl("api.site.test").status == 504)
        }
    }
}
