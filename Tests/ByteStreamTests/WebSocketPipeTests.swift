import ByteStream
import NIOCore
import NIOEmbedded
import TestKit
import Testing

@Suite struct WebSocketPipeTests {
    private let loop = EmbeddedEventLoop()
    private let inner: TestPipe
    private let sink = Recorder()

    init() { inner = TestPipe(loop) }

    private func pipe(_ role: WebSocketRole = .client, limits: WebSocketPipe.Limits = .init()) -> WebSocketPipe {
        let pipe = WebSocketPipe(inner, role: role, limits: limits)
        pipe.attach(sink)
        return pipe
    }

    /// What the pipe wrote, as the peer understands it.
    private func writtenEvents(by role: WebSocketRole = .client) throws -> [WebSocketEvent] {
        var parser = WebSocketFrameParser(role: role == .client ? .server : .client, maximumMessage: 16_384)
        var events: [WebSocketEvent] = []
        try parser.parse(inner.takeWritten()) { events.append($0) }
        return events
    }

    private let server = WebSocketFrameEncoder(role: .server)

    @Test func `a large write becomes messages that the official connector takes whole`() throws {
        let pipe = pipe()
        let payload = patternBytes(40_000)
        pipe.write(payload)
        pipe.flush()
        var joined = ByteBuffer()
        let events = try writtenEvents()
        for case .data(let part) in events { joined.writeImmutableBuffer(part) }
        #expect(events.count == 3)
        #expect(joined == payload)
        #expect(inner.flushes == 1)
    }

    @Test func `messages are delivered on demand and pings answered by the way`() throws {
        let pipe = pipe()
        var bytes = server.binary(ByteBuffer(string: "abc"))
        bytes.writeBytes([0x89, 0x02, 0x68, 0x69])
        inner.deliver(bytes)
        #expect(sink.events == [])
        pipe.read()
        #expect(sink.events == ["received 3", "completed"])
        #expect(try writtenEvents() == [.pong])
        #expect(inner.flushes == 1)
    }

    @Test func `a ping is answered with its own payload`() throws {
        let pipe = pipe()
        pipe.read()
        inner.deliver(ByteBuffer(bytes: [0x89, 0x02, 0x68, 0x69]))
        let answer = inner.takeWritten()
        #expect(answer.getInteger(at: 0, as: UInt16.self) == 0x8A82)
        #expect(try pongPayload(answer) == ByteBuffer(string: "hi"))
        #expect(inner.flushes == 1)
    }

    private func pongPayload(_ frame: ByteBuffer) throws -> ByteBuffer {
        // The same bytes with the opcode of a ping, whose payload the parser hands out.
        var frame = frame
        frame.setInteger(UInt8(0x89), at: frame.readerIndex)
        var parser = WebSocketFrameParser(role: .server)
        var payload = ByteBuffer()
        try parser.parse(frame) { if case .ping(let bytes) = $0 { payload = bytes } }
        return payload
    }

    @Test func `each direction ends by itself`() throws {
        let pipe = pipe()
        pipe.read()
        pipe.finish(trailers: nil)
        #expect(try writtenEvents() == [.close(code: 1000)])
        #expect(inner.finishes == 0)
        pipe.write(ByteBuffer(string: "late"))
        #expect(inner.written.readableBytes == 0)
        inner.deliver(server.binary(ByteBuffer(string: "still here")))
        #expect(sink.events == ["received 10", "completed"])
        inner.deliver(server.close(code: 1000))
        #expect(sink.events.last == "finished")
        #expect(inner.finishes == 1)
        inner.peerFinished()
        inner.closed()
        #expect(sink.events.last == "closed cleanly")
    }

    @Test func `the peer may end first and still be written to`() throws {
        let pipe = pipe()
        pipe.read()
        inner.deliver(server.close(code: 1000))
        #expect(sink.events == ["finished"])
        pipe.write(ByteBuffer(string: "rest"))
        pipe.finish(trailers: nil)
        #expect(try writtenEvents() == [.data(ByteBuffer(string: "rest")), .close(code: 1000)])
        #expect(inner.finishes == 1)
    }

    @Test func `what a peer still says after both closed does not hide its end`() {
        let pipe = pipe()
        pipe.read()
        inner.deliver(server.close(code: 1000))
        pipe.finish(trailers: nil)
        inner.deliver(server.close(code: 1000))
        inner.peerFinished()
        inner.closed()
        #expect(sink.events == ["finished", "closed cleanly"])
    }

    @Test func `a bare end of the carrying stream is a normal end`() {
        let pipe = pipe()
        pipe.read()
        inner.peerFinished()
        #expect(sink.events == ["finished"])
        pipe.finish(trailers: nil)
        #expect(inner.finishes >= 1)
        inner.closed()
        #expect(sink.events == ["finished", "closed cleanly"])
    }

    @Test func `after our end no more is read than the sink takes`() {
        let pipe = pipe()
        pipe.finish(code: 1001)
        #expect(inner.reads == 1)
        inner.deliver(server.binary(patternBytes(100)))
        // Nobody asked for these bytes: they are held, and the peer is not read from any more.
        #expect(inner.reads == 1)
        pipe.read()
        #expect(sink.events == ["received 100", "completed"])
        pipe.read()
        #expect(inner.reads == 2)
    }

    @Test func `going away is said with its own code`() throws {
        pipe().finish(code: 1001)
        #expect(try writtenEvents() == [.close(code: 1001)])
    }

    @Test func `a message over the limit is answered with 1009`() throws {
        var limits = WebSocketPipe.Limits()
        limits.maximumMessage = 10
        let pipe = pipe(limits: limits)
        pipe.read()
        inner.deliver(server.binary(patternBytes(11)))
        #expect(try writtenEvents() == [.close(code: 1009)])
        #expect(sink.events == ["closed \(PipeError.messageTooLarge(limit: 10))"])
        #expect(inner.aborts == 1)
    }

    @Test func `broken framing is answered with 1002`() throws {
        let pipe = pipe()
        pipe.read()
        inner.deliver(ByteBuffer(bytes: [0xF2, 0x00]))
        #expect(try writtenEvents() == [.close(code: 1002)])
        #expect(sink.events.count == 1)
        #expect(inner.aborts == 1)
    }

    @Test func `a peer that answers pings stays, one that stops is given up`() throws {
        let pipe = pipe()
        pipe.read()
        loop.advanceTime(by: .seconds(31))
        loop.advanceTime(by: .seconds(30))
        #expect(try writtenEvents() == [.ping(ByteBuffer()), .ping(ByteBuffer())])
        inner.deliver(ByteBuffer(bytes: [0x8A, 0x00]))
        loop.advanceTime(by: .seconds(30))
        loop.advanceTime(by: .seconds(30))
        #expect(sink.events == [])
        loop.advanceTime(by: .seconds(30))
        #expect(sink.events == ["closed \(PipeError.peerNotResponding)"])
        #expect(inner.aborts == 1)
    }

    @Test func `a peer that does not take our bytes cannot have seen our pings`() {
        let pipe = pipe()
        pipe.read()
        inner.setWritable(false)
        for _ in 0..<10 { loop.advanceTime(by: .seconds(30)) }
        #expect(sink.events == ["writability"])
    }
}
