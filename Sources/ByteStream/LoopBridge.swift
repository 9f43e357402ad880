package import NIOCore
package import NIOHTTP1

/// Brings a pipe of another event loop to this one, so that it can be spliced here.
///
/// What comes in is gathered over a read cycle and crosses with one hop; so does what goes out between two flushes.
/// Back-pressure crosses as well: writability is reported when it changes, and at most `window` bytes are under way
/// unacknowledged. Needed at the edge alone, where a visitor may sit on another loop than the link that serves it.
package final class LoopBridge: BytePipe {
    package let eventLoop: any EventLoop
    private let far: Far
    private let inbox = PipeInbox()
    private var outgoing: [ByteBuffer] = []
    private var underWay = 0
    private var farWritable = true
    private var outputFinished = false
    private let window: Int

    /// - Parameters:
    ///   - pipe: a paused pipe that belongs to another loop. From here on only the bridge uses it.
    ///   - eventLoop: the loop on which the bridge, and whoever splices it, works; call on it.
    package init(_ pipe: Handover, to eventLoop: any EventLoop, window: Int = 256 << 10) {
        eventLoop.preconditionInEventLoop()
        self.eventLoop = eventLoop
        self.window = window
        far = Far(pipe: pipe.pipe)
        let near = Near(bridge: self, eventLoop: eventLoop)
        far.onLoop { $0.start(near) }
    }

    /// A pipe on its way from its own loop to a bridge.
    // Safety: carries the reference only; the pipe is used on its own loop by `Far`.
    package struct Handover: @unchecked Sendable {
        fileprivate let pipe: any BytePipe
        package init(_ pipe: any BytePipe) { self.pipe = pipe }
    }

    package var isWritable: Bool { farWritable && underWay < window }

    package func attach(_ sink: any BytePipeSink) {
        inbox.attach(sink)
    }

    package func read() {
        if inbox.read() { far.onLoop { $0.pipe.read() } }
    }

    package func write(_ bytes: ByteBuffer) {
        guard !outputFinished else { return }
        outgoing.append(bytes)
    }

    package func flush() {
        guard !outgoing.isEmpty else { return }
        let batch = outgoing
        outgoing.removeAll()
        underWay += batch.reduce(0) { $0 + $1.readableBytes }
        far.onLoop { $0.send(batch) }
    }

    package func finish(trailers: HTTPHeaders?) {
        guard !outputFinished else { return }
        flush()
        outputFinished = true
        far.onLoop { $0.pipe.finish(trailers: trailers) }
    }

    package func dismissInput() {
        far.onLoop { $0.pipe.dismissInput() }
    }

    package func abort() {
        outputFinished = true
        if inbox.isClosed { inbox.closed(PipeError.aborted) }
        far.onLoop { $0.pipe.abort() }
    }

    fileprivate func sent(_ count: Int, writable: Bool) {
        let before = isWritable
        underWay -= count
        farWritable = writable
        if before != isWritable { inbox.writabilityChanged() }
    }

    fileprivate func received(_ batch: [ByteBuffer]) {
        for bytes in batch { inbox.received(bytes) }
        if inbox.readCompleted() { far.onLoop { $0.pipe.read() } }
    }

    fileprivate func finished(_ trailers: HTTPHeaders?) {
        inbox.finished(trailers: trailers)
    }

    fileprivate func closed(_ error: (any Error)?) {
        outputFinished = true
        inbox.closed(error)
    }

    /// The way back to the bridge's loop. Keeps the bridge alive until the far pipe closed.
    // Safety: `bridge` is touched inside `run` only, which enters the bridge's loop first.
    fileprivate final class Near: @unchecked Sendable {
        private let bridge: LoopBridge
        private let eventLoop: any EventLoop

        init(bridge: LoopBridge, eventLoop: any EventLoop) {
            self.bridge = bridge
            self.eventLoop = eventLoop
        }

        func run(_ body: @escaping @Sendable (LoopBridge) -> Void) {
            eventLoop.execute { body(self.bridge) }
        }
    }

    /// The far pipe's sink, on the far loop.
    // Safety: all state is touched on the pipe's own loop only, entered by `onLoop`.
    fileprivate final class Far: BytePipeSink, @unchecked Sendable {
        let pipe: any BytePipe
        private var near: Near?
        private var gathered: [ByteBuffer] = []
        private let eventLoop: any EventLoop

        init(pipe: any BytePipe) {
            self.pipe = pipe
            eventLoop = pipe.eventLoop
        }

        func onLoop(_ body: @escaping @Sendable (Far) -> Void) {
            eventLoop.execute { body(self) }
        }

        func start(_ near: Near) {
            self.near = near
            pipe.attach(self)
        }

        func send(_ batch: [ByteBuffer]) {
            var count = 0
            for bytes in batch {
                count += bytes.readableBytes
                pipe.write(bytes)
            }
            pipe.flush()
            report(count)
        }

        private func report(_ count: Int) {
            let writable = pipe.isWritable
            near?.run { $0.sent(count, writable: writable) }
        }

        func pipeReceived(_ bytes: ByteBuffer) {
            gathered.append(bytes)
        }

        func pipeReadCompleted() {
            let batch = gathered
            gathered.removeAll()
            near?.run { $0.received(batch) }
        }

        func pipeFinished(trailers: HTTPHeaders?) {
            if !gathered.isEmpty { pipeReadCompleted() }
            near?.run { $0.finished(trailers) }
        }

        func pipeWritabilityChanged() {
            report(0)
        }

        func pipeClosed(_ error: (any Error)?) {
            if !gathered.isEmpty { pipeReadCompleted() }
            near?.run { $0.closed(error) }
            near = nil
        }
    }
}
