import ByteStream
import EdgeTransport
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceHost
import Synchronization
import TestKit
import Testing
import TunnelWire

@testable import Connector
@testable import TunnelConfig

@Suite(.timeLimit(.minutes(2))) struct StreamProxyTests {
    private static func mirror(_ request: TestOrigin.Request) -> [HTTPServerResponsePart] {
        var headers: HTTPHeaders = ["X-Request": "\(request.head.method) \(request.head.uri)"]
        for (name, value) in request.head.headers { headers.add(name: "X-Got-\(name)", value: value) }
        return .response(.ok, headers, body: request.body, trailers: request.trailers)
    }

    private func request(
        _ method: String = "GET", _ path: String = "/", host: String = "app.test", body: Bool = false
    ) -> StreamRequest {
        StreamRequest(kind: .http, method: method, path: path, authority: host, hasBody: body)
    }

    // MARK: HTTP

    @Test func `host and path choose the rule`() async throws {
        let bench = try await ProxyBench.make([
            IngressRule(hostname: HostnamePattern("a.test"), path: PathPattern("^/x y"), service: .httpStatus(201)),
            IngressRule(hostname: HostnamePattern("*.wild.test"), service: .httpStatus(202)),
            IngressRule(service: .httpStatus(404)),
        ])
        #expect(try await bench.link.exchange(request("GET", "/x%20y?q", host: "a.test:443")).response.status == 201)
        #expect(try await bench.link.exchange(request("GET", "/x", host: "a.test")).response.status == 404)
        #expect(try await bench.link.exchange(request(host: "b.wild.test")).response.status == 202)
        try await bench.idle()
        #expect(bench.metrics.totalRequests.value == 3)
        #expect(bench.metrics.concurrentRequests.value == 0)
        #expect(bench.metrics.responsesByCode["404"].value == 1)
        await bench.link.close()
    }

    @Test func `a request passes to the origin and its answer back`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        let bench = try await ProxyBench.make(origin.service, tags: [("ID", "1234")])
        var request = request("PUT", "/a?b", body: true)
        request.headers = ["x-one": "1", "content-length": "4"]
        let answer = try await bench.link.exchange(request, body: ByteBuffer(string: "four"))
        #expect(answer.response.status == 200)
        #expect(answer.response.source == .origin)
        #expect(answer.response.headers["x-request"] == ["PUT /a?b"])
        #expect(answer.response.headers["x-got-host"] == ["app.test"])
        #expect(answer.response.headers["x-got-x-one"] == ["1"])
        #expect(answer.response.headers["x-got-content-length"] == ["4"])
        #expect(answer.response.headers["x-got-cf-warp-tag-id"] == ["1234"])
        #expect(answer.body == ByteBuffer(string: "four"))
        await bench.link.close()
        await origin.stop()
    }

    @Test func `sixteen megabytes pass through link and origin both ways`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        let bench = try await ProxyBench.make(origin.service)
        let body = ByteBuffer(repeating: 0x5A, count: 16 << 20)
        let answer = try await bench.link.exchange(request("POST", body: true), body: body)
        #expect(answer.body == body)
        await bench.link.close()
        await origin.stop()
    }

    @Test(arguments: [("HEAD", 200), ("GET", 304)])
    func `an answer without body keeps its length and ends the stream`(method: String, status: Int) async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return }
            let text = "HTTP/1.1 \(status) Status\r\nContent-Length: 1234\r\n\r\n"
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }
        let bench = try await ProxyBench.make(origin.service)
        let answer = try await bench.link.exchange(request(method))
        #expect(answer.response.status == status)
        #expect(answer.response.headers["content-length"] == ["1234"])
        #expect(answer.body.readableBytes == 0)
        await bench.link.close()
        await origin.stop()
    }

    @Test func `trailers of the origin reach the edge`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        let bench = try await ProxyBench.make(origin.service)
        let visitor = try await bench.link.open(request("POST", body: true))
        visitor.send(ByteBuffer(string: "x"))
        visitor.finish(trailers: ["x-sum": "1"])
        let answer = try await visitor.answer()
        #expect(answer.body == ByteBuffer(string: "x"))
        #expect(answer.trailers?["x-sum"] == ["1"])
        await bench.link.close()
        await origin.stop()
    }

    @Test func `an origin that answers early ends the upload without an error`() async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return }
            let text = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large"
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            channel.setOption(.autoRead, value: false).whenFailure { _ in }
        }
        let bench = try await ProxyBench.make(origin.service)
        let visitor = try await bench.link.open(request("POST", body: true))
        visitor.send(ByteBuffer(repeating: 1, count: 64 << 10))
        let answer = try await visitor.answer()
        #expect(answer.response.status == 413)
        #expect(answer.body == ByteBuffer(string: "too large"))
        #expect(try await visitor.closed() == nil)
        try await bench.idle()
        await bench.link.close()
        await origin.stop()
    }

    @Test func `an origin that breaks off resets the stream and is logged once`() async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return }
            channel.writeAndFlush(
                ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), promise: nil)
            channel.close(promise: nil)
        }
        let bench = try await ProxyBench.make(origin.service)
        let visitor = try await bench.link.open(request())
        #expect(try await visitor.response.status == 200)
        #expect(try await visitor.closed() != nil)
        try await bench.idle()
        #expect(bench.log.entries(.error).map(\.message) == ["The origin broke off its response"])
        await bench.link.close()
        await origin.stop()
    }

    @Test func `a visitor that leaves ends the request at the origin`() async throws {
        let gone = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let came = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let origin = try await TestOrigin.raw { bytes, channel in
            if bytes.readableBytes > 0 { came.succeed() } else { gone.succeed() }
        }
        let bench = try await ProxyBench.make(origin.service)
        let visitor = try await bench.link.open(request("POST", body: true))
        try await came.futureResult.get()
        visitor.abort()
        try await gone.futureResult.get()
        try await bench.idle()
        #expect(bench.log.entries(.error).isEmpty)
        await bench.link.close()
        await origin.stop()
    }

    @Test func `an origin that refuses is 502, with one line that names it`() async throws {
        let origin = try await TestOrigin.echo()
        let service = origin.service
        await origin.stop()
        let bench = try await ProxyBench.make(service)
        for body in [false, true] {
            let visitor = try await bench.link.open(request("POST", body: body))
            #expect(try await visitor.response.status == 502)
            #expect(try await visitor.response.source == .connector)
            #expect(try await visitor.closed() == nil)
        }
        try await bench.idle()
        let lines = bench.log.entries(.error)
        #expect(lines.map(\.message) == Array(repeating: "failed to serve incoming request", count: 2))
        #expect(lines.first?.metadata["connIndex"] == "3")
        #expect(lines.first?.metadata["ingressRule"] == "0")
        #expect(lines.first?.metadata["originService"] == "\(service)")
        #expect(lines.first?.metadata["error"].map { "\($0)" }?.contains("refused the connection") ?? false)
        #expect(bench.metrics.requestErrors.value == 2)
        await bench.link.close()
    }

    @Test func `the built-in page answers`() async throws {
        let bench = try await ProxyBench.make(.helloWorld)
        let page = try await bench.link.exchange(request())
        #expect(page.response.status == 200)
        #expect(String(buffer: page.body).contains("The tunnel works"))
        #expect(try await bench.link.exchange(request("GET", "/_health")).body == ByteBuffer(string: "ok\n"))
        #expect(try await bench.link.exchange(request("GET", "/none")).response.status == 404)
        #expect(try await bench.link.exchange(request("HEAD")).body.readableBytes == 0)
        await bench.link.close()
    }

    @Test func `a rule that asks for an Access check is closed where nobody can make it`() async throws {
        let bench = try await ProxyBench.make(.helloWorld) { options in
            var overrides = OriginRequest.Overrides()
            overrides.access = .init(required: true, teamName: "acme", audTag: ["x"], environment: "")
            options = options.applying(overrides)
        }
        #expect(try await bench.link.exchange(request()).response.status == 502)
        await bench.link.close()
    }

    @Test func `more streams than allowed are refused, and served later`() async throws {
        let origin = try await TestOrigin.echo()
        var settings = StreamProxy.Settings()
        settings.maximumStreams = 1
        let bench = try await ProxyBench.make(origin.stream("tcp"), settings: settings)
        let (first, _) = try await bench.openWebSocket()
        let refused = try await bench.link.exchange(request())
        #expect(refused.response.status == 502)
        #expect(refused.response.source == .flowRateLimited)
        first.abort()
        try await bench.idle()
        let (second, response) = try await bench.openWebSocket()
        #expect(response.status == 200)
        second.abort()
        await bench.link.close()
        await origin.stop()
    }

    // MARK: Drain

    @Test func `idle comes after the last stream, abort ends them all`() async throws {
        let origin = try await TestOrigin.echo()
        let bench = try await ProxyBench.make(origin.stream("tcp"))
        try await bench.idle()
        let (visitor, _) = try await bench.openWebSocket()
        let ledger = bench.ledger
        #expect(try await bench.link.connector.eventLoop.submit { ledger.count }.get() == 1)
        bench.link.connector.eventLoop.execute { ledger.abortAll() }
        try await bench.idle()
        #expect(try await visitor.closed() != nil)
        #expect(bench.metrics.concurrentRequests.value == 0)
        await bench.link.close()
        await origin.stop()
    }
}
