import ByteStream
import NIOCore
import NIOHTTP1

/// A visitor's WebSocket as its splice sees it: the bytes of the connection as they are, and the means to close it from
/// here, between two frames, with a code and a reason.
///
/// Lives as long as the connection. Only the heads of frames towards the visitor are looked at.
// Safety: confined to the event loop of the pipe it wraps.
final class VisitorSocket: BytePipe, BytePipeSink, @unchecked Sendable {
    private let pipe: any BytePipe
    private let limits: EdgeLimits
    private var sink: (any BytePipeSink)?
    private var tracker = FrameTracker()
    private var state = State.open
    private var timer: Scheduled<Void>?

    private enum State {
        case open
        /// The frame on its way to the visitor may end; what comes from it is dropped.
        case ending(farewell: ByteBuffer)
        /// The close frame was sent; what still comes is read and dropped, so that the visitor gets to read it.
        case leaving
        case over
    }

    init(_ pipe: any BytePipe, limits: EdgeLimits) {
        self.pipe = pipe
        self.limits = limits
        pipe.attach(self)
    }

    /// Closes the WebSocket (RFC 6455 section 7.4): nothing that the visitor sends passes any more, at once.
    func close(code: UInt16, reason: String) {
        guard case .open = state else { return }
        let farewell = Self.closeFrame(code, reason)
        guard tracker.isBetweenFrames else {
            state = .ending(farewell: farewell)
            timer = eventLoop.assumeIsolated().scheduleTask(in: limits.frameEnd) { self.cut() }
            return
        }
        leave(farewell)
    }

    private func leave(_ farewell: ByteBuffer) {
        timer?.cancel()
        state = .leaving
        pipe.write(farewell)
        pipe.finish(trailers: nil)
        timer = eventLoop.assumeIsolated().scheduleTask(in: limits.socketFarewell) { self.pipe.abort() }
        pipe.read()
        // Not at once: the other end may be in the middle of a write to us.
        eventLoop.assumeIsolated().execute { self.tellEnd(PipeError.aborted) }
    }

    private func cut() {
        guard case .ending = state else { return }
        pipe.abort()
    }

    private func tellEnd(_ error: (any Error)?) {
        let last = sink
        sink = nil
        last?.pipeClosed(error)
    }

    private static func closeFrame(_ code: UInt16, _ reason: String) -> ByteBuffer {
        // A control frame holds 125 bytes.
        let text = reason.utf8.prefix(123)
        var frame = ByteBuffer()
        frame.writeBytes([0x88, UInt8(text.count + 2)])
        frame.writeInteger(code)
        frame.writeBytes(text)
        return frame
    }

    // MARK: BytePipe, for the splice

    var eventLoop: any EventLoop { pipe.eventLoop }

    var isWritable: Bool {
        switch state {
        case .open, .ending: pipe.isWritable
        case .leaving, .over: false
        }
    }

    func attach(_ sink: any BytePipeSink) {
        self.sink = sink
        if case .over = state { tellEnd(PipeError.aborted) }
    }

    func read() {
        pipe.read()
    }

    func write(_ bytes: ByteBuffer) {
        switch state {
        case .open:
            tracker.pass(bytes)
            pipe.write(bytes)
        case .ending(let farewell):
            var rest = bytes
            let count = tracker.passToEndOfFrame(bytes)
            if let part = rest.readSlice(length: count) { pipe.write(part) }
            if tracker.isBetweenFrames { leave(farewell) }
        case .leaving, .over: break
        }
    }

    func flush() {
        pipe.flush()
    }

    func finish(trailers: HTTPHeaders?) {
        switch state {
        case .open: pipe.finish(trailers: trailers)
        // The frame will not end any more.
        case .ending: cut()
        case .leaving, .over: break
        }
    }

    func dismissInput() {
        if case .open = state { pipe.dismissInput() }
    }

    func abort() {
        switch state {
        case .open: pipe.abort()
        case .ending: cut()
        case .leaving, .over: break
        }
    }

    // MARK: BytePipeSink, from the connection

    func pipeReceived(_ bytes: ByteBuffer) {
        if case .open = state { sink?.pipeReceived(bytes) }
    }

    func pipeReadCompleted() {
        switch state {
        case .open: sink?.pipeReadCompleted()
        case .ending, .leaving: pipe.read()
        case .over: break
        }
    }

    func pipeFinished(trailers: HTTPHeaders?) {
        switch state {
        case .open, .ending: sink?.pipeFinished(trailers: trailers)
        case .leaving: pipe.dismissInput()
        case .over: break
        }
    }

    func pipeWritabilityChanged() {
        sink?.pipeWritabilityChanged()
    }

    func pipeClosed(_ error: (any Error)?) {
        timer?.cancel()
        state = .over
        tellEnd(error)
    }
}
