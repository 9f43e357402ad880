import ByteStream
import EdgeTransport
import Foundation
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization
import TestKit
import Testing
import TunnelWire

@Suite(.timeLimit(.minutes(2))) struct HTTP2LinkTests {
    /// Answers each request with its own body.
    private static func echo(_ stream: LinkStream) {
        stream.respond(
            StreamResponse(
                status: 200,
                headers: [
                    "X-Method": stream.request.method, "X-Path": stream.request.path,
                    "X-Host": stream.request.authority,
                ]))
        let echo = Echo(stream)
        stream.attach(echo)
        stream.read()
    }

    private final class Echo: BytePipeSink {
        let stream: LinkStream
        init(_ stream: LinkStream) { self.stream = stream }
        func pipeReceived(_ bytes: ByteBuffer) { stream.write(bytes) }
        func pipeReadCompleted() {
            stream.flush()
            if stream.isWritable { stream.read() }
        }
        func pipeFinished(trailers: HTTPHeaders?) { stream.finish(trailers: trailers) }
        func pipeWritabilityChanged() { if stream.isWritable { stream.read() } }
        func pipeClosed(_ error: (any Error)?) {}
    }

    @Test func `heads cross both ways`() async throws {
        let seen = Mutex<StreamRequest?>(nil)
        let link = try await TestLink.make { stream in
            seen.withLock { $0 = stream.request }
            stream.respond(StreamResponse(status: 404, headers: ["Set-Cookie": "a=1", "X-Tag": "b:;c"]))
            stream.finish(trailers: nil)
        }
        let answer = try await link.exchange(
            StreamRequest(
                kind: .http, method: "DELETE", path: "/a?b=c", authority: "site.test",
                headers: ["X-One": "1", "Cookie": "x"], hasBody: false))
        #expect(answer.response.status == 404)
        #expect(answer.response.source == .origin)
        #expect(answer.response.headers["set-cookie"] == ["a=1"])
        #expect(answer.response.headers["x-tag"] == ["b:;c"])
        #expect(answer.body.readableBytes == 0)
        let request = try #require(seen.withLock { $0 })
        #expect(request.kind == .http)
        #expect(request.method == "DELETE")
        #expect(request.path == "/a?b=c")
        #expect(request.authority == "site.test")
        #expect(request.headers["x-one"] == ["1"])
        #expect(!request.hasBody)
        await link.close()
    }

    @Test func `a connector that insists on post-quantum key exchange gets its link`() async throws {
        let link = try await TestLink.make(postQuantumOnly: true, arrived: Self.echo)
        let answer = try await link.exchange(
            StreamRequest(kind: .http, method: "POST", authority: "site.test"), body: ByteBuffer(string: "safe"))
        #expect(answer.body == ByteBuffer(string: "safe"))
        await link.close()
    }

    @Test(arguments: [StreamKind.http, .webSocket, .tcp, .controlStream, .updateConfiguration])
    func `the kind of a stream crosses the link`(kind: StreamKind) async throws {
        let seen = Mutex<StreamKind?>(nil)
        let link = try await TestLink.make { stream in
            seen.withLock { $0 = stream.request.kind }
            stream.respond(StreamResponse(status: 200, headers: ["content-type": "x/y"]))
            stream.finish(trailers: nil)
        }
        let answer = try await link.exchange(StreamRequest(kind: kind, authority: "10.0.0.1:22"))
        #expect(answer.response.status == 200)
        #expect(seen.withLock { $0 } == kind)
        await link.close()
    }

    @Test func `two hundred kilobytes of headers cross both ways`() async throws {
        let large = String(repeating: "v", count: 1000)
        let link = try await TestLink.make { stream in
            var headers = HTTPHeaders()
            for (name, value) in stream.request.headers where name.hasPrefix("x-") {
                headers.add(name: name, value: value)
            }
            stream.respond(StreamResponse(status: 200, headers: headers))
            stream.finish(trailers: nil)
        }
        var headers = HTTPHeaders()
        for index in 0..<200 { headers.add(name: "x-\(index)", value: large + "\(index)") }
        let answer = try await link.exchange(
            StreamRequest(kind: .http, authority: "site.test", headers: headers, hasBody: false))
        #expect(answer.response.headers.count == 200)
        #expect(answer.response.headers["x-199"] == [large + "199"])
        await link.close()
    }

    @Test func `a response head too large for the link is refused, and the link lives`() async throws {
        let large = String(repeating: "v", count: 1000)
        let link = try await TestLink.make { stream in
            var headers = HTTPHeaders()
            let count = stream.request.path == "/large" ? 900 : 1
            for index in 0..<count { headers.add(name: "x-\(index)", value: large) }
            stream.respond(StreamResponse(status: 200, headers: headers))
            stream.finish(trailers: nil)
        }
        let answer = try await link.exchange(
            StreamRequest(kind: .http, path: "/large", authority: "site.test", hasBody: false))
        #expect(answer.response.status == 502)
        #expect(answer.response.source == .connector)
        let next = try await link.exchange(StreamRequest(kind: .http, authority: "site.test", hasBody: false))
        #expect(next.response.status == 200)
        await link.close()
    }

    @Test func `a request head too large for the link fails alone`() async throws {
        let link = try await TestLink.make(arrived: Self.echo)
        let headers: HTTPHeaders = ["x-large": String(repeating: "v", count: 1_100_000)]
        let visitor = try await link.open(
            StreamRequest(kind: .http, authority: "site.test", headers: headers, hasBody: false))
        await #expect { try await visitor.response } throws: { ($0 as? LinkError)?.code == .headTooLarge }
        let next = try await link.exchange(StreamRequest(kind: .http, authority: "site.test"))
        #expect(next.response.status == 200)
        await link.close()
    }

    @Test func `sixteen megabytes cross both ways at once, with trailers kept apart`() async throws {
        let link = try await TestLink.make(arrived: Self.echo)
        let body = ByteBuffer.pattern(16 << 20)
        let answer = try await link.exchange(
            StreamRequest(kind: .http, method: "POST", authority: "site.test"), body: body)
        #expect(answer.body == body)
        #expect(answer.trailers == nil)
        await link.close()
    }

    @Test func `trailers cross in both directions`() async throws {
        let link = try await TestLink.make(arrived: Self.echo)
        let visitor = try await link.open(StreamRequest(kind: .http, method: "POST", authority: "site.test"))
        visitor.send(ByteBuffer(string: "body"))
        visitor.finish(trailers: ["X-Sum": "42"])
        let answer = try await visitor.answer()
        #expect(answer.body == ByteBuffer(string: "body"))
        #expect(answer.trailers?["x-sum"] == ["42"])
        #expect(try await visitor.closed() == nil)
        await link.close()
    }

    @Test func `a reader that does not read stops the sender`() async throws {
        let arrived = Mutex<TestVisitor?>(nil)
        let link = try await TestLink.make { stream in
            let end = TestVisitor(on: stream.eventLoop)
            end.start(stream, reading: false)
            arrived.withLock { $0 = end }
            stream.respond(StreamResponse(status: 200))
        }
        let body = ByteBuffer.pattern(16 << 20)
        let visitor = try await link.open(StreamRequest(kind: .tcp, authority: "10.0.0.1:22"), body: body)
        _ = try await visitor.response
        #expect(try await visitor.unsent() > 8 << 20)
        let end = try #require(arrived.withLock { $0 })
        end.read()
        #expect(try await end.body() == body)
        #expect(try await visitor.unsent() == 0)
        visitor.abort()
        await link.close()
    }

    @Test func `each direction ends by itself`() async throws {
        let arrived = Mutex<TestVisitor?>(nil)
        let link = try await TestLink.make { stream in
            let end = TestVisitor(on: stream.eventLoop)
            end.start(stream)
            arrived.withLock { $0 = end }
            stream.respond(StreamResponse(status: 200))
        }
        let visitor = try await link.open(
            StreamRequest(kind: .tcp, authority: "10.0.0.1:22"), body: ByteBuffer(string: "question"))
        _ = try await visitor.response
        let end = try #require(arrived.withLock { $0 })
        #expect(try await end.body() == ByteBuffer(string: "question"))
        end.send(ByteBuffer(string: "answer"), end: true)
        #expect(try await visitor.body() == ByteBuffer(string: "answer"))
        #expect(try await visitor.closed() == nil)
        #expect(try await end.closed() == nil)
        await link.close()
    }

    // MARK: Ends before their time

    @Test func `a visitor that leaves cancels the stream at the connector`() async throws {
        let arrived = Mutex<TestVisitor?>(nil)
        let link = try await TestLink.make { stream in
            let end = TestVisitor(on: stream.eventLoop)
            end.start(stream)
            arrived.withLock { $0 = end }
            stream.respond(StreamResponse(status: 200))
        }
        let visitor = try await link.open(StreamRequest(kind: .http, authority: "site.test"))
        _ = try await visitor.response
        visitor.abort()
        let end = try #require(arrived.withLock { $0 })
        let error = try await end.closed()
        #expect((error as? NIOHTTP2Errors.StreamClosed)?.errorCode == .cancel)
        await link.close()
    }

    @Test func `an answer that breaks off reaches the edge as INTERNAL_ERROR`() async throws {
        let link = try await TestLink.make { stream in
            stream.respond(StreamResponse(status: 200))
            stream.write(ByteBuffer(string: "half"))
            stream.flush()
            let end = TestVisitor(on: stream.eventLoop)
            end.start(stream)
            end.abort()
        }
        let visitor = try await link.open(StreamRequest(kind: .http, authority: "site.test"))
        #expect(try await visitor.response.status == 200)
        let error = try await visitor.closed()
        #expect((error as? NIOHTTP2Errors.StreamClosed)?.errorCode == .internalError)
        await link.close()
    }

    @Test(arguments: [true, false]) func `a refusal is 502 made by the connector`(hasBody: Bool) async throws {
        let link = try await TestLink.make { $0.refuse() }
        let visitor = try await link.open(
            StreamRequest(kind: .http, method: "POST", authority: "site.test", hasBody: hasBody))
        let answer = try await visitor.answer()
        #expect(answer.response.status == 502)
        #expect(answer.response.source == .connector)
        #expect(answer.body.readableBytes == 0)
        #expect(try await visitor.closed() == nil)
        await link.close()
    }

    @Test func `an answer before the end of the upload is complete, and ends the upload`() async throws {
        let body = ByteBuffer.pattern(4 << 20)
        let link = try await TestLink.make { stream in
            stream.respond(StreamResponse(status: 413))
            stream.write(body)
            stream.finish(trailers: nil)
            stream.dismissInput()
        }
        let visitor = try await link.open(StreamRequest(kind: .http, method: "POST", authority: "site.test"))
        visitor.send(ByteBuffer.pattern(1 << 20))
        let answer = try await visitor.answer()
        #expect(answer.response.status == 413)
        #expect(answer.body == body)
        #expect(try await visitor.closed() == nil)
        await link.close()
    }

    @Test func `an aborted stream that was never answered is refused`() async throws {
        let link = try await TestLink.make { $0.abort() }
        let visitor = try await link.open(StreamRequest(kind: .http, authority: "site.test"))
        #expect(try await visitor.response.status == 502)
        await link.close()
    }

    @Test func `a stream that is handed back may go elsewhere, and the link lives`() async throws {
        let link = try await TestLink.make { stream in
            if stream.request.path == "/late" { stream.decline() } else { Self.echo(stream) }
        }
        for hasBody in [false, true] {
            let late = StreamRequest(kind: .http, path: "/late", authority: "site.test", hasBody: hasBody)
            let visitor = try await link.open(late)
            await #expect { try await visitor.response } throws: { ($0 as? LinkError)?.code == .streamDeclined }
        }
        #expect(try await link.exchange(StreamRequest(kind: .http, authority: "site.test")).response.status == 200)
        await link.close()
    }

    @Test func `streams that a GOAWAY does not cover may go elsewhere, the others go on`() async throws {
        let covered = Mutex<LinkStream?>(nil)
        let link = try await TestLink.make { stream in
            covered.withLock { if $0 == nil { $0 = stream } }
        }
        let first = try await link.open(StreamRequest(kind: .http, authority: "site.test", hasBody: false))
        let second = try await link.open(StreamRequest(kind: .http, authority: "site.test", hasBody: false))
        let goodbye = HTTP2Frame(
            streamID: .rootStream, payload: .goAway(lastStreamID: 1, errorCode: .noError, opaqueData: nil))
        try await link.connector.channel.writeAndFlush(goodbye).get()
        await #expect { try await second.response } throws: { ($0 as? LinkError)?.code == .streamDeclined }
        let stream = try #require(covered.withLock { $0 })
        stream.eventLoop.execute { stream.respond(StreamResponse(status: 200)) }
        #expect(try await first.response.status == 200)
        await link.close()
    }

    @Test func `a link that ends under a stream without an answer says so`() async throws {
        let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
        let link = try await TestLink.make { _ in arrived.yield() }
        let visitor = try await link.open(StreamRequest(kind: .http, authority: "site.test"))
        for await _ in arrivals { break }
        link.connector.close()
        await #expect { try await visitor.response } throws: { ($0 as? LinkError)?.code == .streamCut }
        await link.close()
    }

    @Test func `streams end when their link ends`() async throws {
        let link = try await TestLink.make { $0.respond(StreamResponse(status: 200)) }
        let visitor = try await link.open(StreamRequest(kind: .tcp, authority: "10.0.0.1:22"))
        _ = try await visitor.response
        link.connector.close()
        #expect(try await visitor.closed() != nil)
        #expect(try await link.edge.ended.get().code == .closedByPeer)
        await link.close()
    }

    // MARK: Many

    @Test func `three hundred streams live at once`() async throws {
        let link = try await TestLink.make(arrived: Self.echo)
        var visitors: [TestVisitor] = []
        for _ in 0..<300 {
            visitors.append(try await link.open(StreamRequest(kind: .tcp, authority: "10.0.0.1:22")))
        }
        for visitor in visitors { _ = try await visitor.response }
        let edge = link.edge
        #expect(try await edge.eventLoop.submit { edge.openStreams }.get() == 300)
        for (index, visitor) in visitors.enumerated() {
            visitor.send(ByteBuffer(string: "stream \(index)"), end: true)
        }
        for (index, visitor) in visitors.enumerated() {
            #expect(try await visitor.body() == ByteBuffer(string: "stream \(index)"))
            #expect(try await visitor.closed() == nil)
        }
        #expect(try await edge.eventLoop.submit { edge.openStreams }.get() == 0)
        await link.close()
    }

    @Test func `a link that is full says so and serves again later`() async throws {
        var configuration = LinkConfiguration()
        configuration.maximumStreams = 2
        let link = try await TestLink.make(connector: configuration, arrived: Self.echo)
        let first = try await link.open(StreamRequest(kind: .tcp, authority: "10.0.0.1:22"))
        let second = try await link.open(StreamRequest(kind: .tcp, authority: "10.0.0.1:22"))
        _ = try await (first.response, second.response)
        let third = try await link.open(StreamRequest(kind: .tcp, authority: "10.0.0.1:22"))
        await #expect { try await third.response } throws: { ($0 as? LinkError)?.code == .noCapacity }
        first.finish()
        _ = try await first.closed()
        // The link counts a stream until its channel is gone, a moment after its pipe closed.
        let edge = link.edge
        while try await edge.eventLoop.submit({ edge.openStreams }).get() > 1 { await Task.yield() }
        let answer = try await link.exchange(StreamRequest(kind: .http, authority: "site.test"))
        #expect(answer.response.status == 200)
        await link.close()
    }
}

extension ByteBuffer {
    /// Bytes that repeat with a prime period, so that a lost or doubled piece shows.
    static func pattern(_ count: Int) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        let block = (0..<251).map { UInt8($0) }
        while buffer.readableBytes + block.count <= count { buffer.writeBytes(block) }
        buffer.writeBytes(block.prefix(count - buffer.readableBytes))
        return buffer
    }
}
