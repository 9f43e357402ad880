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

/// A fixed sequence of numbers, so that a failing test fails again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Bytes in which every stretch of 256 differs from every other, so that a lost, doubled or moved piece shows.
func patternBytes(_ count: Int, seed: UInt8 = 0) -> ByteBuffer {
    var generator = SeededGenerator(seed: UInt64(seed))
    let block = ByteBuffer(bytes: (0..<31).flatMap { _ in withUnsafeBytes(of: generator.next()) { Array($0) } })
    var buffer = ByteBufferAllocator().buffer(capacity: count + 256)
    while buffer.readableBytes < count {
        buffer.writeImmutableBuffer(block)
        buffer.writeInteger(UInt64(buffer.readableBytes))
    }
    return buffer.getSlice(at: 0, length: count) ?? buffer
}
