import ByteStream
import Edge
import EdgeTransport
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

/// Requests on links that fail under them.
@Suite(.timeLimit(.minutes(2)))
struct LostLinkTests {
    /// A connector that fails each stream in some way, and counts them.
    private final class Failing: Sendable {
        private let state = Mutex<(connector: TestConnector?, streams: Int)>((nil, 0))

        var streams: Int { state.withLock { $0.streams } }

        /// - Parameter fail: gets the stream and the end of its link.
        static func register(
            with edge: EdgeHarness, index: UInt8 = 0,
            _ fail: @escaping @Sendable (LinkStream, @escaping @Sendable () -> Void) -> Void = { _, cut in cut() }
        ) async throws -> Failing {
            let failing = Failing()
            let connector = try await edge.connector(index: index) { stream in
                let link = failing.state.withLock { state in
                    state.streams += 1
                    return state.connector?.link
                }
                fail(stream) { link?.close() }
            }
            failing.state.withLock { $0.connector = connector }
            return failing
        }

        func close() async throws {
            try await state.withLock { $0.connector }?.close()
        }
    }

    /// Asks twice, so that each of two links comes first once.
    private func ask(
        _ edge: EdgeHarness, _ arguments: [String] = [], input: Data? = nil, times: Int = 2
    ) async throws -> [CurlAnswer] {
        var answers: [CurlAnswer] = []
        for _ in 0..<times {
            answers.append(try await edge.curl("open.site.test", "/", arguments + ["-H", "expect:"], input: input))
        }
        return answers
    }

    @Test(arguments: ["GET", "PUT", "DELETE"], [1, 2])
    func `what may be repeated is served by the link that stays`(method: String, loops: Int) async throws {
        try await EdgeHarness.with(loops: loops) { edge in
            let failing = try await Failing.register(with: edge)
            let staying = try await edge.connector(index: 1, serve: Serve.echo)
            let body = method == "GET" ? nil : Data("the body of a request".utf8)
            for answer in try await ask(edge, ["-X", method], input: body, times: 4) {
                #expect(answer.status == 200)
                #expect(answer.text == (body.map { String(decoding: $0, as: UTF8.self) } ?? ""))
            }
            #expect(failing.streams == 1)
            try await staying.close()
        }
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func `a body that comes in pieces is sent again from its beginning`(version: String) async throws {
        try await EdgeHarness.with { edge in
            // Gone in the middle of the upload, which waits for leave and is longer than one read.
            let failing = try await Failing.register(with: edge) { stream, cut in
                stream.attach(Impatient(cut))
                stream.read()
            }
            let staying = try await edge.connector(index: 1, serve: Serve.description)
            let body = Data(repeating: 7, count: 60_000)
            for _ in 0..<2 {
                let answer = try await edge.curl(
                    "open.site.test", "/", [version, "-X", "PUT", "-H", "expect: 100-continue"], input: body)
                #expect(answer.status == 200)
                #expect(answer.text.hasSuffix("body 60000 bytes"))
            }
            #expect(failing.streams == 1)
            try await staying.close()
        }
    }

    @Test func `an upload too long to be kept is given up`() async throws {
        try await EdgeHarness.with { edge in
            let failing = try await Failing.register(with: edge) { stream, cut in
                Serve.gather(stream) { _, _ in cut() }
            }
            let answer = try await ask(
                edge, ["-X", "PUT"], input: Data(repeating: 7, count: 200_000), times: 1)[0]
            #expect(answer.status == 502)
            #expect(answer.text.contains("gave no answer"))
            #expect(failing.streams == 1)
        }
    }

    @Test func `a request that may have been carried out is answered, and not sent twice`() async throws {
        try await EdgeHarness.with { edge in
            let served = Mutex(0)
            let failing = try await Failing.register(with: edge)
            let staying = try await edge.connector(index: 1) { stream in
                served.withLock { $0 += 1 }
                Serve.answer(body: "done")(stream)
            }
            let answers = try await ask(edge, ["-X", "POST"], input: Data("once".utf8), times: 4)
            let lost = answers.filter { $0.status == 502 }
            #expect(lost.count == 1)
            #expect(lost.first?.text.contains("may have been carried out") == true)
            #expect(failing.streams == 1)
            #expect(served.withLock { $0 } == 3)
            try await staying.close()
        }
    }

    @Test func `a stream that is handed back goes to another link, whatever it asks`() async throws {
        try await EdgeHarness.with { edge in
            let leaving = try await Failing.register(with: edge) { stream, _ in stream.decline() }
            let staying = try await edge.connector(index: 1, serve: Serve.echo)
            for answer in try await ask(edge, ["-X", "POST"], input: Data("once".utf8), times: 4) {
                #expect(answer.status == 200)
                #expect(answer.text == "once")
            }
            #expect(leaving.streams > 0)
            try await leaving.close()
            try await staying.close()
        }
    }

    @Test func `a WebSocket that was not accepted yet is opened on the link that stays`() async throws {
        try await EdgeHarness.with { edge in
            let failing = try await Failing.register(with: edge)
            let staying = try await edge.connector(index: 1, serve: WebSocketTests.accept)
            for _ in 0..<2 {
                let visitor = try await edge.visitor()
                try await visitor.send(WebSocketTests.request() + "first")
                #expect(try await visitor.received("\r\n\r\nfirst").hasPrefix("HTTP/1.1 101"))
                try await visitor.close()
            }
            #expect(failing.streams == 1)
            try await staying.close()
        }
    }

    @Test func `a connector with one link serves the request when it is back`() async throws {
        try await EdgeHarness.with { edge in
            let (lost, lose) = AsyncStream.makeStream(of: Void.self)
            _ = try await Failing.register(with: edge) { _, cut in
                cut()
                lose.yield()
            }
            try await withThrowingTaskGroup(of: CurlAnswer.self) { group in
                group.addTask { try await edge.curl("open.site.test") }
                for await _ in lost { break }
                let back = try await edge.connector(serve: Serve.answer(body: "back"))
                for try await answer in group { #expect(answer.text == "back") }
                try await back.close()
            }
        }
    }

    @Test func `a request that comes while the only connector is away for a moment waits for it`() async throws {
        try await EdgeHarness.with { edge in
            let lost = try await edge.connector(serve: Serve.answer())
            try await lost.close()
            try await edge.untilConnections(are: 0)
            try await withThrowingTaskGroup(of: CurlAnswer.self) { group in
                group.addTask { try await edge.curl("open.site.test", "/", ["-X", "POST"]) }
                let back = try await edge.connector(serve: Serve.answer(body: "back"))
                for try await answer in group { #expect(answer.text == "back") }
                try await back.close()
            }
        }
    }

    @Test func `an answer that has begun is not begun again`() async throws {
        try await EdgeHarness.with { edge in
            let failing = try await Failing.register(with: edge) { stream, cut in
                stream.respond(StreamResponse(status: 200, headers: ["content-length": "10"]))
                stream.write(ByteBuffer(string: "half"))
                stream.flush()
                stream.eventLoop.execute { cut() }
            }
            let answer = try await edge.curl("open.site.test")
            #expect(answer.exit != 0 || answer.status == 502)
            #expect(failing.streams == 1)
        }
    }

    @Test func `a link whose connector does not answer pings is left for another one`() async throws {
        var limits = EdgeLimits()
        limits.linkWatch = .milliseconds(50)
        try await EdgeHarness.with(limits: limits) { edge in
            let silent = try await edge.connector(index: 0) { _ in }
            let staying = try await edge.connector(index: 1, serve: Serve.answer(body: "served"))
            try await silent.link.channel.setOption(.autoRead, value: false).get()
            for answer in try await ask(edge, times: 3) { #expect(answer.text == "served") }
            try await silent.link.channel.setOption(.autoRead, value: true).get()
            try await silent.close()
            try await staying.close()
        }
    }

    @Test(arguments: [1, 2])
    func `links that end under load lose no request as long as one lives`(loops: Int) async throws {
        try await EdgeHarness.with(loops: loops) { edge in
            // Each of three links ends with its fifth stream.
            var failing: [Failing] = []
            for index in 0..<3 {
                let count = Mutex(0)
                failing.append(
                    try await Failing.register(with: edge, index: UInt8(index)) { stream, cut in
                        let number = count.withLock { count in
                            count += 1
                            return count
                        }
                        if number < 5 { Serve.answer(200, ["content-length": "2"], body: "ok")(stream) }
                        if number == 5 { cut() }
                    })
            }
            let staying = try await edge.connector(
                index: 3, serve: Serve.answer(200, ["content-length": "2"], body: "ok"))
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        let visitor = try await edge.visitor()
                        for number in 1...20 {
                            try await visitor.send("GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n")
                            _ = try await visitor.received("\r\n\r\nok", times: number)
                        }
                        let all = try await visitor.received("\r\n\r\nok", times: 20)
                        try await visitor.close()
                        return all.components(separatedBy: "HTTP/1.1 200").count - 1
                    }
                }
                for try await served in group { #expect(served == 20) }
            }
            #expect(failing.allSatisfy { $0.streams >= 5 })
            try await staying.close()
        }
    }
}

/// Cuts at the first bytes of a body.
private final class Impatient: BytePipeSink {
    private let cut: @Sendable () -> Void

    init(_ cut: @escaping @Sendable () -> Void) { self.cut = cut }

    func pipeReceived(_ bytes: ByteBuffer) {}
    func pipeReadCompleted() { cut() }
    func pipeFinished(trailers: HTTPHeaders?) {}
    func pipeWritabilityChanged() {}
    func pipeClosed(_ error: (any Error)?) {}
}
