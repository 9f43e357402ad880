import ByteStream
import NIOCore
import NIOEmbedded
import Testing

@Suite struct SpliceTests {
    private let loop = EmbeddedEventLoop()
    private let left: TestPipe
    private let right: TestPipe

    /// Where the summary of the splice ends up.
    private final class Ending {
        var summary: Splice.Summary?
    }
    private let ending = Ending()

    init() {
        left = TestPipe(loop)
        right = TestPipe(loop)
    }

    private func join(_ limits: Splice.Limits = .init()) {
        Splice.join(left, right, limits: limits) { [ending] in ending.summary = $0 }
    }

    @Test func `bytes cross and are flushed once a read cycle`() {
        join()
        #expect(left.reads == 1)
        left.deliver("hello")
        #expect(right.takeWritten() == ByteBuffer(string: "hello"))
        #expect(right.flushes == 1)
        #expect(left.reads == 2)
        right.deliver("back")
        #expect(left.takeWritten() == ByteBuffer(string: "back"))
    }

    @Test func `nothing is read while the other end is full`() {
        join()
        right.isWritable = false
        left.deliver("a")
        #expect(left.reads == 1)
        right.setWritable(true)
        #expect(left.reads == 2)
    }

    @Test func `ends are passed on one by one and the sums told`() {
        join()
        left.deliver("abc")
        left.peerFinished()
        #expect(right.finishes == 1)
        #expect(left.finishes == 0)
        right.deliver("de")
        right.peerFinished()
        #expect(left.finishes == 1)
        left.closed()
        #expect(ending.summary == nil)
        right.closed()
        #expect(ending.summary?.bytesLeftToRight == 3)
        #expect(ending.summary?.bytesRightToLeft == 2)
        #expect(ending.summary?.error == nil)
        #expect(left.aborts == 0 && right.aborts == 0)
    }

    @Test func `an error on one end aborts the other and is the one told`() {
        join()
        left.closed(PipeError.closedByPeer)
        #expect(right.aborts == 1)
        #expect(ending.summary?.error as? PipeError == .closedByPeer)
    }

    @Test func `what an end sent before it broke still arrives`() {
        join()
        left.deliver("all of it")
        left.peerFinished()
        left.closed(PipeError.closedByPeer)
        #expect(right.takeWritten() == ByteBuffer(string: "all of it"))
        #expect(right.finishes == 1)
        #expect(right.aborts == 0)
        #expect(right.dismissals == 1)
        #expect(ending.summary?.error as? PipeError == .closedByPeer)
    }

    @Test func `silence ends a splice, any byte starts the wait anew`() {
        join(.init(idle: .seconds(60)))
        loop.advanceTime(by: .seconds(50))
        right.deliver("x")
        loop.advanceTime(by: .seconds(50))
        #expect(ending.summary == nil)
        loop.advanceTime(by: .seconds(11))
        #expect(ending.summary?.error as? PipeError == .idle)
        #expect(left.aborts >= 1 && right.aborts >= 1)
    }

    @Test func `a half-closed splice may be silent for its own time`() {
        join(.init(idle: nil, idleHalfClosed: .seconds(5)))
        loop.advanceTime(by: .hours(5))
        #expect(ending.summary == nil)
        right.peerFinished()
        loop.advanceTime(by: .seconds(4))
        left.deliver("x")
        loop.advanceTime(by: .seconds(4))
        #expect(ending.summary == nil)
        loop.advanceTime(by: .seconds(2))
        #expect(ending.summary?.error as? PipeError == .idle)
    }

    @Test func `the end of the left side can have a time of its own`() {
        join(.init(idle: nil, idleHalfClosed: nil, idleAfterLeft: .seconds(5)))
        right.peerFinished()
        loop.advanceTime(by: .hours(5))
        #expect(ending.summary == nil)
        left.peerFinished()
        loop.advanceTime(by: .seconds(6))
        #expect(ending.summary?.error as? PipeError == .idle)
    }
}
