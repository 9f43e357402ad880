import ByteStream
import NIOCore
import Testing

@Suite struct PipeInboxTests {
    @Test func `what comes unasked is held until the sink asks`() {
        let inbox = PipeInbox()
        let sink = Recorder()
        inbox.attach(sink)
        inbox.received(ByteBuffer(string: "ab"))
        inbox.received(ByteBuffer(string: "cde"))
        #expect(inbox.readCompleted() == false)
        #expect(sink.events == [])
        #expect(inbox.isHolding)
        #expect(inbox.read() == false)
        #expect(sink.events == ["received 2", "received 3", "completed"])
        #expect(!inbox.isHolding)
        #expect(inbox.read() == true)
    }

    @Test func `a read cycle without bytes keeps the demand open`() {
        let inbox = PipeInbox()
        let sink = Recorder()
        inbox.attach(sink)
        #expect(inbox.read() == true)
        #expect(inbox.read() == false)
        #expect(inbox.readCompleted() == true)
        inbox.received(ByteBuffer(string: "x"))
        #expect(inbox.readCompleted() == false)
        #expect(sink.events == ["received 1", "completed"])
    }

    @Test func `the end waits for what is held, an error does not`() {
        let inbox = PipeInbox()
        let sink = Recorder()
        inbox.attach(sink)
        inbox.received(ByteBuffer(string: "x"))
        inbox.finished()
        inbox.closed(nil)
        #expect(sink.events == [])
        _ = inbox.read()
        #expect(sink.events == ["received 1", "finished", "closed cleanly"])

        let failing = PipeInbox()
        let told = Recorder()
        failing.attach(told)
        failing.received(ByteBuffer(string: "x"))
        failing.closed(PipeError.closedByPeer)
        #expect(told.events == ["closed \(PipeError.closedByPeer)"])
        failing.closed(nil)
        failing.received(ByteBuffer(string: "y"))
        #expect(told.events.count == 1)
    }

    @Test func `what is held after a clean close outlives the transport's clearing up, but not an abort`() {
        let inbox = PipeInbox()
        let sink = Recorder()
        inbox.attach(sink)
        inbox.received(ByteBuffer(string: "x"))
        inbox.closed(nil)
        inbox.closed(PipeError.closedByPeer)
        #expect(sink.events == [])
        _ = inbox.read()
        #expect(sink.events == ["received 1", "finished", "closed cleanly"])

        let given = PipeInbox()
        let told = Recorder()
        given.attach(told)
        given.received(ByteBuffer(string: "x"))
        given.closed(nil)
        given.closed(PipeError.aborted)
        #expect(told.events == ["closed \(PipeError.aborted)"])
    }

    @Test func `an end before the sink came is told when it comes`() {
        let inbox = PipeInbox()
        inbox.finished()
        inbox.closed(nil)
        let sink = Recorder()
        inbox.attach(sink)
        #expect(sink.events == ["finished", "closed cleanly"])
    }

    @Test func `a delivery under way is completed before the end is told`() {
        let inbox = PipeInbox()
        let sink = Recorder()
        inbox.attach(sink)
        _ = inbox.read()
        inbox.received(ByteBuffer(string: "x"))
        inbox.finished()
        #expect(sink.events == ["received 1", "completed", "finished"])
    }
}
