import ByteStream
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Edge

/// What a request's stream keeps for another link, and what it tells the visitor's side.
struct OriginStreamTests {
    private let eventLoop = EmbeddedEventLoop()

    private func stream(bound: Int = 10) -> (OriginStream, Notes) {
        let stream = OriginStream(on: eventLoop, keeping: bound)
        let notes = Notes()
        stream.attach(notes)
        return (stream, notes)
    }

    private func link() -> FakeLink { FakeLink(eventLoop) }

    @Test func `another link carries all that was sent, in order, and what follows`() {
        let (stream, _) = stream()
        let (first, second) = (link(), link())
        stream.carry(by: first)
        stream.write(ByteBuffer(string: "one"))
        stream.flush()
        stream.dropCarrier()
        #expect(first.heard == ["one", "flush", "abort"])
        // The visitor's bytes do not wait for the link.
        stream.write(ByteBuffer(string: "two"))
        stream.finish(trailers: ["sum": "6"])
        #expect(stream.canRepeat)
        stream.carry(by: second)
        #expect(second.heard == ["onetwo", "flush", "end sum"])
    }

    @Test func `what is kept takes no more memory than its bound, in however small pieces it came`() {
        let bound = 1 << 10
        let (stream, _) = stream(bound: bound)
        let read = ByteBuffer(repeating: 7, count: 32 << 10)
        for offset in 0..<bound {
            if let piece = read.getSlice(at: offset, length: 1) { stream.write(piece) }
            if let nothing = read.getSlice(at: offset, length: 0) { stream.write(nothing) }
        }
        let next = link()
        stream.carry(by: next)
        #expect(next.heard == [String(repeating: "\u{7}", count: bound), "flush"])
        #expect(next.storage <= 2 * bound)
    }

    @Test func `a link that is not open yet gets nothing until it is`() {
        let (stream, notes) = stream()
        let slow = link()
        slow.isWritable = false
        stream.carry(by: slow)
        #expect(!stream.isWritable)
        stream.write(ByteBuffer(string: "one"))
        stream.finish(trailers: nil)
        #expect(slow.heard == [])
        slow.isWritable = true
        slow.sink?.pipeWritabilityChanged()
        #expect(slow.heard == ["one", "flush", "end"])
        #expect(notes.heard.last == "writable")
    }

    @Test(arguments: [false, true])
    func `an answer before the link takes anything finds what was sent all the same`(isEnded: Bool) {
        let (stream, notes) = stream()
        let full = link()
        full.isWritable = false
        stream.carry(by: full)
        stream.write(ByteBuffer(string: "one"))
        if isEnded { stream.finish(trailers: nil) }
        stream.settle()
        #expect(full.heard == (isEnded ? ["one", "flush", "end"] : ["one", "flush"]))
        #expect(!stream.isWritable)
        full.isWritable = true
        full.sink?.pipeWritabilityChanged()
        #expect(notes.heard.last == "writable")
        #expect(stream.isWritable)
        stream.write(ByteBuffer(string: "two"))
        #expect(full.heard.last == (isEnded ? "end" : "two"))
    }

    @Test func `an answer to less than was sent, when that is not kept, ends the link's stream`() {
        let (stream, _) = stream(bound: 4)
        let full = link()
        full.isWritable = false
        stream.carry(by: full)
        stream.write(ByteBuffer(string: "fives"))
        stream.settle()
        #expect(full.heard == ["abort"])
    }

    @Test func `more than the bound is not kept`() {
        let (stream, _) = stream(bound: 4)
        stream.carry(by: link())
        stream.write(ByteBuffer(string: "four"))
        #expect(stream.canRepeat)
        stream.write(ByteBuffer(string: "5"))
        #expect(!stream.canRepeat)
    }

    @Test func `what comes before the answer is noticed is told after it`() {
        let (stream, notes) = stream()
        let only = link()
        stream.carry(by: only)
        stream.read()
        #expect(!only.heard.contains("read"))
        only.sink?.pipeFinished(trailers: nil)
        #expect(!notes.heard.contains("finished"))
        stream.settle()
        #expect(notes.heard.last == "finished")
        #expect(only.heard.last == "read")
        only.sink?.pipeReceived(ByteBuffer(string: "late"))
        #expect(notes.heard.last == "late")
        #expect(!stream.canRepeat)
    }

    @Test func `the end of a link before the answer is nobody's end`() {
        let (stream, notes) = stream()
        let only = link()
        stream.carry(by: only)
        only.sink?.pipeClosed(PipeError.closedByPeer)
        #expect(!notes.heard.contains("closed"))
        stream.abort()
        #expect(notes.heard.last == "closed")
        stream.carry(by: link())
        #expect(stream.isOver)
    }

    @Test func `a visitor who leaves before the answer takes the link's stream along`() {
        let (stream, notes) = stream()
        let only = link()
        stream.carry(by: only)
        stream.finish(trailers: nil)
        stream.dismissInput()
        #expect(only.heard.last == "abort")
        only.sink?.pipeClosed(PipeError.aborted)
        #expect(notes.heard.last == "closed")
        let late = link()
        stream.carry(by: late)
        #expect(late.heard == ["abort"])
    }

    @Test func `more than is kept, while no link takes it, ends the next link's stream`() {
        let (stream, _) = stream(bound: 4)
        stream.write(ByteBuffer(string: "fives"))
        let next = link()
        stream.carry(by: next)
        #expect(next.heard == ["abort"])
    }
}

private final class FakeLink: BytePipe {
    let eventLoop: any EventLoop
    var isWritable = true
    var sink: (any BytePipeSink)?
    var heard: [String] = []
    /// Bytes of memory that what was written takes.
    var storage = 0

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func attach(_ sink: any BytePipeSink) { self.sink = sink }
    func read() { heard.append("read") }
    func write(_ bytes: ByteBuffer) {
        heard.append(String(buffer: bytes))
        storage += bytes.storageCapacity
    }
    func flush() { heard.append("flush") }
    func finish(trailers: HTTPHeaders?) {
        heard.append((["end"] + (trailers ?? [:]).map(\.name)).joined(separator: " "))
    }
    func dismissInput() { heard.append("dismiss") }
    func abort() { heard.append("abort") }
}

private final class Notes: BytePipeSink {
    var heard: [String] = []

    func pipeReceived(_ bytes: ByteBuffer) { heard.append(String(buffer: bytes)) }
    func pipeReadCompleted() {}
    func pipeFinished(trailers: HTTPHeaders?) { heard.append("finished") }
    func pipeWritabilityChanged() { heard.append("writable") }
    func pipeClosed(_ error: (any Error)?) { heard.append("closed") }
}
