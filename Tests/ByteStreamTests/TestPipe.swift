import ByteStream
import NIOCore
import NIOEmbedded
import NIOHTTP1

/// A pipe whose other end is the test: what is written is kept, what comes in is put in by hand.
final class TestPipe: BytePipe {
    let eventLoop: any EventLoop
    var isWritable = true
    private(set) var written = ByteBuffer()
    private(set) var flushes = 0
    private(set) var finishes = 0
    private(set) var aborts = 0
    private(set) var dismissals = 0
    private(set) var reads = 0
    private let inbox = PipeInbox()

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func attach(_ sink: any BytePipeSink) { inbox.attach(sink) }
    func read() { if inbox.read() { reads += 1 } }
    func write(_ bytes: ByteBuffer) { written.writeImmutableBuffer(bytes) }
    func flush() { flushes += 1 }
    func finish(trailers: HTTPHeaders?) { finishes += 1 }

    func dismissInput() {
        dismissals += 1
        inbox.closed(PipeError.aborted)
    }

    func abort() {
        aborts += 1
        inbox.closed(PipeError.aborted)
    }

    /// Everything written since the last call.
    func takeWritten() -> ByteBuffer {
        defer { written.clear() }
        return written
    }

    /// One read cycle that brought these bytes.
    func deliver(_ bytes: ByteBuffer) {
        inbox.received(bytes)
        if inbox.readCompleted() { reads += 1 }
    }

    func deliver(_ text: String) { deliver(ByteBuffer(string: text)) }
    func peerFinished() { inbox.finished() }
    func closed(_ error: (any Error)? = nil) { inbox.closed(error) }

    func setWritable(_ writable: Bool) {
        isWritable = writable
        inbox.writabilityChanged()
    }
}

/// Writes down what a pipe tells, one line an event.
final class Recorder: BytePipeSink {
    private(set) var events: [String] = []
    private(set) var received = ByteBuffer()

    func pipeReceived(_ bytes: ByteBuffer) {
        received.writeImmutableBuffer(bytes)
        events.append("received \(bytes.readableBytes)")
    }

    func pipeReadCompleted() { events.append("completed") }
    func pipeFinished(trailers: HTTPHeaders?) { events.append("finished") }
    func pipeWritabilityChanged() { events.append("writability") }
    func pipeClosed(_ error: (any Error)?) { events.append("closed \(error.map { "\($0)" } ?? "cleanly")") }
}
