import ByteStream
import NIOCore
import NIOHTTP1
import NIOPosix
import OriginTransport
import Synchronization
import TestKit
import Testing
import TunnelConfig

@Suite(.timeLimit(.minutes(2))) struct HTTPOriginsTests {
    let client = TestClient()

    /// Answers with the request's own body, and tells the head in headers.
    private static func mirror(_ request: TestOrigin.Request) -> [HTTPServerResponsePart] {
        var headers: HTTPHeaders = ["X-Request": "\(request.head.method) \(request.head.uri)"]
        for (name, value) in request.head.headers { headers.add(name: "X-Got-\(name)", value: value) }
        return .response(.ok, headers, body: request.body, trailers: request.trailers)
    }

    // MARK: Heads

    @Test func `a request reaches the origin as it came, with the visitor's host`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        let answer = try await client.send(
            .get(
                "/a%20b?c=d",
                headers: ["x-one": "1", "cookie": "k=v", "connection": "x-drop", "x-drop": "1", "te": "gzip"]),
            to: origin.http)
        #expect(answer.status == 200)
        #expect(answer.headers["x-request"] == ["GET /a%20b?c=d"])
        let names = answer.headers.map(\.name).filter { $0.hasPrefix("X-Got-") }.map { String($0.dropFirst(6)) }
        // Nothing added but Host and Connection: no Accept-Encoding, no User-Agent.
        #expect(names.sorted() == ["Connection", "Cookie", "Host", "X-One"])
        #expect(answer.headers["x-got-host"] == ["app.test"])
        #expect(answer.headers["x-got-connection"] == ["keep-alive"])
        await origin.stop()
    }

    @Test func `httpHostHeader replaces the host and keeps the original`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        var options = OriginRequest()
        options.httpHostHeader = "inside.example"
        let answer = try await client.send(.get(), to: origin.http, options: options)
        #expect(answer.headers["x-got-host"] == ["inside.example"])
        #expect(answer.headers["x-got-x-forwarded-host"] == ["app.test"])
        await origin.stop()
    }

    @Test func `hop-by-hop fields of the origin stay behind`() async throws {
        let origin = try await TestOrigin.http { _ in
            .response(.ok, ["Connection": "keep-alive, X-Hop", "X-Hop": "1", "Upgrade": "h2c", "Set-Cookie": "a=1"])
        }
        let answer = try await client.send(.get(), to: origin.http)
        #expect(answer.headers.map(\.name) == ["Set-Cookie"])
        await origin.stop()
    }

    @Test(arguments: [
        HTTPRequest(method: "GET", path: "/ HTTP/1.1\r\nX: y", authority: "a", headers: [:], hasBody: false),
        HTTPRequest(method: "GET", path: "/", authority: "a\r\nX: y", headers: [:], hasBody: false),
        HTTPRequest(method: "GET", path: "/", authority: "a", headers: ["x": "1\r\nX: y"], hasBody: false),
        HTTPRequest(method: "GET", path: "/", authority: "a", headers: ["x y": "1"], hasBody: false),
        HTTPRequest(method: "GE T", path: "/", authority: "a", headers: [:], hasBody: false),
        HTTPRequest(method: "CONNECT", path: "/", authority: "a", headers: [:], hasBody: false),
        HTTPRequest(method: "POST", path: "/", authority: "a", headers: ["content-length": "+1"], hasBody: true),
        HTTPRequest(
            method: "POST", path: "/", authority: "a", headers: ["content-length": "1", "Content-Length": "2"],
            hasBody: true),
    ])
    func `a request that HTTP1 cannot carry is refused before it is dialled`(request: HTTPRequest) async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        let error = await failure { _ = try await client.send(request, to: origin.http) }
        #expect(error?.code == .requestInvalid)
        #expect(error?.status == 400)
        #expect(origin.connections == 0)
        await origin.stop()
    }

    // MARK: Bodies

    @Test func `chunked bodies pass both ways with their trailers`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        let exchange = try await client.begin(.post(), to: origin.http)
        exchange.visitor.send(ByteBuffer(string: "some "))
        exchange.visitor.send(ByteBuffer(string: "text"))
        exchange.visitor.finish(trailers: ["X-Sum": "9"])
        #expect(try await exchange.head.get().headers["x-got-transfer-encoding"] == ["chunked"])
        #expect(try await exchange.visitor.body() == ByteBuffer(string: "some text"))
        #expect(try await exchange.visitor.trailers()?["x-sum"] == ["9"])
        #expect(try await exchange.visitor.closed() == nil)
        await origin.stop()
    }

    @Test func `a known length is kept`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        let answer = try await client.send(
            .post(["content-length": "4"]), to: origin.http, body: ByteBuffer(string: "four"))
        #expect(answer.headers["x-got-content-length"] == ["4"])
        #expect(answer.headers["x-got-transfer-encoding"].isEmpty)
        #expect(answer.body == ByteBuffer(string: "four"))
        await origin.stop()
    }

    @Test(arguments: ["longer than told", "no"])
    func `a body of another length than told never reaches a shared connection`(
        body: String
    ) async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        let error = await failure {
            _ = try await client.send(.post(["content-length": "4"]), to: origin.http, body: ByteBuffer(string: body))
        }
        #expect(error?.code == .requestInvalid)
        await origin.stop()
    }

    @Test func `disableChunkedEncoding refuses a body without length`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        var options = OriginRequest()
        options.disableChunkedEncoding = true
        let error = await failure { _ = try await client.send(.post(), to: origin.http, options: options) }
        #expect(error?.code == .lengthRequired)
        #expect(error?.status == 411)
        await origin.stop()
    }

    @Test func `sixteen megabytes pass up and down`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        let body = ByteBuffer.pattern(16 << 20)
        let answer = try await client.send(.post(), to: origin.http, body: body)
        #expect(answer.body == body)
        await origin.stop()
    }

    @Test func `an origin that does not read stops the upload`() async throws {
        let held = Mutex<(any Channel)?>(nil)
        let origin = try await TestOrigin.raw { _, channel in
            held.withLock { $0 = channel }
            channel.setOption(.autoRead, value: false).whenFailure { _ in }
        }
        let exchange = try await client.begin(.post(), to: origin.http)
        exchange.visitor.send(ByteBuffer.pattern(64 << 20), end: true)
        // Dialling takes a while; once something is stuck, it stays stuck.
        var unsent = 0
        for _ in 0..<50 { unsent = try await exchange.visitor.unsent() }
        #expect(unsent > 32 << 20)
        exchange.visitor.abort()
        await origin.stop()
    }

    @Test func `a visitor that does not read stops the download`() async throws {
        let body = ByteBuffer.pattern(16 << 20)
        let origin = try await TestOrigin.http { _ in .response(.ok, [:], body: body) }
        let exchange = try await client.begin(.get(), to: origin.http, reading: false)
        _ = try await exchange.head.get()
        exchange.visitor.read()
        #expect(try await exchange.visitor.body() == body)
        await origin.stop()
    }

    @Test(arguments: [
        (HTTPResponseStatus.noContent, "GET"), (.notModified, "GET"), (.ok, "HEAD"),
    ])
    func `an answer without body ends at its head, whatever length it tells`(
        status: HTTPResponseStatus, method: String
    ) async throws {
        let origin = try await TestOrigin.http { _ in
            .response(status, status == .noContent ? [:] : ["Content-Length": "1234"])
        }
        var request = HTTPRequest.get()
        request.method = method
        for _ in 0..<2 {
            let answer = try await client.send(request, to: origin.http)
            #expect(answer.status == Int(status.code))
            #expect(
                answer.headers["content-length"] == (method == "HEAD" ? ["1234"] : answer.headers["content-length"]))
            #expect(answer.body.readableBytes == 0)
        }
        #expect(origin.connections == 1)
        await origin.stop()
    }

    @Test func `an answer that ends with the connection is whole`() async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return }
            channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\nuntil the end"), promise: nil)
            channel.close(promise: nil)
        }
        let answer = try await client.send(.get(), to: origin.http)
        #expect(answer.body == ByteBuffer(string: "until the end"))
        await origin.stop()
    }

    @Test func `interim answers are skipped`() async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return }
            let text = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }
        let answer = try await client.send(.get(), to: origin.http)
        #expect(answer.status == 200)
        #expect(answer.headers.count == 1)
        #expect(answer.body == ByteBuffer(string: "ok"))
        await origin.stop()
    }

    // MARK: Early and broken answers

    @Test func `an answer before the upload ends is passed on whole`() async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return }
            let text = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large"
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            channel.setOption(.autoRead, value: false).whenFailure { _ in }
        }
        let exchange = try await client.begin(.post(), to: origin.http)
        exchange.visitor.send(ByteBuffer.pattern(1 << 20))
        #expect(try await exchange.head.get().status == 413)
        #expect(try await exchange.visitor.body() == ByteBuffer(string: "too large"))
        #expect(try await exchange.visitor.closed() == nil)
        await origin.stop()
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    ])
    func `an answer that breaks off is an error, not an end`(text: String) async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return }
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            channel.close(promise: nil)
        }
        let exchange = try await client.begin(.get(), to: origin.http)
        #expect(try await exchange.head.get().status == 200)
        let error = try await exchange.visitor.closed() as? OriginError
        #expect(error?.code == .closedEarly)
        #expect(error?.message.contains("in the middle of its response") ?? false)
        await origin.stop()
    }

    @Test(arguments: [
        ("", OriginError.Code.closedEarly), ("SSH-2.0-OpenSSH_9.2\r\n", .badResponse),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .badResponse),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .badResponse),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", .badResponse),
    ])
    func `what is not an answer becomes an error`(text: String, code: OriginError.Code) async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return }
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            channel.close(promise: nil)
        }
        let error = await failure { _ = try await client.send(.get(), to: origin.http) }
        #expect(error?.code == code)
        #expect(error?.message.contains("127.0.0.1:\(origin.port)") ?? false)
        await origin.stop()
    }

    @Test func `a response head over the limit is refused, one of 200 KiB passes`() async throws {
        let count = Mutex(200)
        let origin = try await TestOrigin.http { _ in
            var headers = HTTPHeaders()
            for index in 0..<count.withLock({ $0 }) {
                headers.add(name: "X-\(index)", value: String(repeating: "v", count: 1000))
            }
            return .response(.ok, headers)
        }
        #expect(try await client.send(.get(), to: origin.http).headers.count == 200)
        count.withLock { $0 = 400 }
        let error = await failure { _ = try await client.send(.get(), to: origin.http) }
        #expect(error?.code == .badResponse)
        #expect(error?.message.contains("256 KiB") ?? false)
        await origin.stop()
    }

    // MARK: Connections

    @Test func `a connection is used again`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        for index in 0..<5 {
            let answer = try await client.send(.post(), to: origin.http, body: ByteBuffer(string: "\(index)"))
            #expect(answer.body == ByteBuffer(string: "\(index)"))
        }
        #expect(origin.connections == 1)
        await origin.stop()
    }

    @Test func `keepAliveConnections of zero uses none again`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        var options = OriginRequest()
        options.keepAliveConnections = 0
        for _ in 0..<3 { _ = try await client.send(.get(), to: origin.http, options: options) }
        #expect(origin.connections == 3)
        await origin.stop()
    }

    @Test func `an origin that closes after its answer is dialled again`() async throws {
        let origin = try await TestOrigin.http { _ in .response(.ok, ["Connection": "close", "Content-Length": "0"]) }
        for _ in 0..<3 { #expect(try await client.send(.get(), to: origin.http).status == 200) }
        #expect(origin.connections == 3)
        await origin.stop()
    }

    @Test func `an idle connection is closed after keepAliveTimeout`() async throws {
        let gone = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return gone.succeed() }
            channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), promise: nil)
        }
        var options = OriginRequest()
        options.keepAliveTimeout = .milliseconds(20)
        #expect(try await client.send(.get(), to: origin.http, options: options).status == 200)
        try await gone.futureResult.get()
        #expect(try await client.send(.get(), to: origin.http, options: options).status == 200)
        #expect(origin.connections == 2)
        await origin.stop()
    }

    /// Serves one request on each connection and hangs up on the second without an answer.
    private static func hangsUpOnSecond() async throws -> TestOrigin {
        let seen = Mutex<[SocketAddress?: Int]>([:])
        return try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return }
            let count = seen.withLock { seen in
                seen[channel.remoteAddress, default: 0] += 1
                return seen[channel.remoteAddress, default: 0]
            }
            guard count == 1 else { return channel.close(promise: nil) }
            channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), promise: nil)
        }
    }

    @Test func `a request that may be repeated survives a connection that just died`() async throws {
        let origin = try await Self.hangsUpOnSecond()
        for _ in 0..<3 { #expect(try await client.send(.get(), to: origin.http).body == ByteBuffer(string: "ok")) }
        #expect(origin.connections == 3)
        await origin.stop()
    }

    @Test func `a request with a body is not repeated`() async throws {
        let origin = try await Self.hangsUpOnSecond()
        _ = try await client.send(.get(), to: origin.http)
        var request = HTTPRequest.get()
        request.method = "POST"
        let error = await failure { _ = try await client.send(request, to: origin.http) }
        #expect(error?.code == .closedEarly)
        #expect(origin.connections == 1)
        await origin.stop()
    }

    // MARK: Upgrades

    @Test func `an accepted upgrade carries raw bytes both ways and ends each way by itself`() async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            var bytes = bytes
            if bytes.readableBytes == 0 {
                channel.finish(ByteBuffer(string: "|bye"))
            } else if bytes.readString(length: 3) == "GET" {
                // What follows the head at once must not be lost.
                let text =
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello|"
                channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            } else {
                bytes.moveReaderIndex(to: 0)
                channel.writeAndFlush(bytes, promise: nil)
            }
        }
        let exchange = try await client.begin(.upgrade(), to: origin.http)
        let head = try await exchange.head.get()
        #expect(head.status == 101)
        #expect(head.headers["sec-websocket-accept"] == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])
        let raw = try await exchange.upgraded.get()
        raw.send(ByteBuffer(string: "0123456789"))
        #expect(try await raw.bytes(16) == ByteBuffer(string: "hello|0123456789"))
        raw.finish()
        #expect(try await raw.body() == ByteBuffer(string: "hello|0123456789|bye"))
        #expect(try await raw.closed() == nil)
        await origin.stop()
    }

    @Test func `the upgrade request is complete and has no body`() async throws {
        let origin = try await TestOrigin.http(respond: Self.mirror)
        let answer = try await client.send(.upgrade(), to: origin.http)
        // This origin does not upgrade: its answer is an ordinary one.
        #expect(answer.status == 200)
        #expect(answer.headers["x-got-upgrade"] == ["websocket"])
        #expect(answer.headers["x-got-connection"] == ["Upgrade"])
        #expect(answer.headers["x-got-sec-websocket-version"] == ["13"])
        #expect(answer.headers["x-got-sec-websocket-key"] == ["dGhlIHNhbXBsZSBub25jZQ=="])
        #expect(answer.headers["x-got-transfer-encoding"].isEmpty)
        await origin.stop()
    }
}
