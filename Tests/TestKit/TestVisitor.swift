package import ByteStream
package import EdgeTransport
package import NIOCore
package import NIOHTTP1

/// One end of a pipe in a test: sends with back-pressure, keeps what comes. Its methods may be called from anywhere.
// Safety: all state is touched on the event loop only.
package final class TestVisitor: BytePipeSink, @unchecked Sendable {
    /// All that came.
    package struct Answer: Sendable {
        package var response: StreamResponse
        package var body: ByteBuffer
        package var trailers: HTTPHeaders?
    }

    package let eventLoop: any EventLoop
    private let responsePromise: EventLoopPromise<StreamResponse>
    private let finishedPromise: EventLoopPromise<HTTPHeaders?>
    private let closedPromise: EventLoopPromise<(any Error)?>
    private var pipe: (any BytePipe)?
    private var received = ByteBuffer()
    private var outgoing = ByteBuffer()
    private var endsAfterOutgoing = false
    private var endTrailers: HTTPHeaders?
    private var pumping = false
    private var reading = true
    private var waiting: [(count: Int, promise: EventLoopPromise<Void>)] = []

    package init(on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        responsePromise = eventLoop.makePromise()
        finishedPromise = eventLoop.makePromise()
        closedPromise = eventLoop.makePromise()
    }

    deinit {
        // What no test waits for.
        responsePromise.fail(PipeError.aborted)
        finishedPromise.fail(PipeError.aborted)
        closedPromise.succeed(PipeError.aborted)
    }

    /// Takes a pipe over; on the event loop.
    package func start(_ pipe: any BytePipe, reading: Bool = true) {
        self.pipe = pipe
        self.reading = reading
        pipe.attach(self)
        if reading { pipe.read() }
    }

    package func answered(_ result: Result<StreamResponse, LinkError>) {
        responsePromise.completeWith(result.mapError { $0 })
    }

    // MARK: The test's side

    package var response: StreamResponse { get async throws { try await responsePromise.futureResult.get() } }

    /// Waits for the peer's end of stream and gives its trailers.
    package func trailers() async throws -> HTTPHeaders? { try await finishedPromise.futureResult.get() }

    /// Waits for the peer's end of stream.
    package func body() async throws -> ByteBuffer {
        _ = try await finishedPromise.futureResult.get()
        return try await eventLoop.submit { self.received }.get()
    }

    package func answer() async throws -> Answer {
        let response = try await response
        let trailers = try await finishedPromise.futureResult.get()
        return Answer(response: response, body: try await body(), trailers: trailers)
    }

    /// Waits until so many bytes have come.
    package func bytes(_ count: Int) async throws -> ByteBuffer {
        try await eventLoop.flatSubmit {
            let promise = self.eventLoop.makePromise(of: Void.self)
            self.waiting.append((count, promise))
            self.checkWaiting()
            return promise.futureResult
        }.get()
        return try await eventLoop.submit { self.received }.get()
    }

    /// Waits for the end of the pipe; nil after a clean one.
    package func closed() async throws -> (any Error)? {
        try await closedPromise.futureResult.get()
    }

    package var closedFuture: EventLoopFuture<(any Error)?> { closedPromise.futureResult }

    package func send(_ bytes: ByteBuffer, end: Bool = false) {
        eventLoop.execute {
            self.outgoing.writeImmutableBuffer(bytes)
            self.endsAfterOutgoing = self.endsAfterOutgoing || end
            self.pump()
        }
    }

    package func finish(trailers: HTTPHeaders? = nil) {
        eventLoop.execute {
            self.endTrailers = trailers
            self.endsAfterOutgoing = true
            self.pump()
        }
    }

    package func abort() {
        eventLoop.execute { self.pipe?.abort() }
    }

    /// Starts reading where `start` did not.
    package func read() {
        eventLoop.execute {
            self.reading = true
            self.pipe?.read()
        }
    }

    /// Bytes that are still to be sent because the pipe takes no more.
    package func unsent() async throws -> Int {
        try await eventLoop.submit { self.outgoing.readableBytes }.get()
    }

    private func pump() {
        // A write may report in its midst that the pipe is full now; only the outermost call goes on.
        guard let pipe, !pumping else { return }
        pumping = true
        defer { pumping = false }
        while pipe.isWritable, let chunk = outgoing.readSlice(length: min(64 << 10, outgoing.readableBytes)),
            chunk.readableBytes > 0
        {
            pipe.write(chunk)
            pipe.flush()
        }
        if outgoing.readableBytes == 0, endsAfterOutgoing { pipe.finish(trailers: endTrailers) }
    }

    private func checkWaiting() {
        waiting.removeAll { entry in
            guard received.readableBytes >= entry.count else { return false }
            entry.promise.succeed()
            return true
        }
    }

    // MARK: BytePipeSink

    package func pipeReceived(_ bytes: ByteBuffer) {
        received.writeImmutableBuffer(bytes)
        checkWaiting()
    }

    package func pipeReadCompleted() {
        if reading { pipe?.read() }
    }

    package func pipeFinished(trailers: HTTPHeaders?) {
        finishedPromise.succeed(trailers)
    }

    package func pipeWritabilityChanged() {
        pump()
    }

    package func pipeClosed(_ error: (any Error)?) {
        let reason = error ?? PipeError.closedByPeer
        responsePromise.fail(reason)
        finishedPromise.fail(reason)
        for entry in waiting { entry.promise.fail(reason) }
        waiting = []
        closedPromise.succeed(error)
    }
}
