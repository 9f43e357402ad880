package import NIOCore
package import NIOHTTP1

/// A `BytePipe` inside a WebSocket: what is written becomes binary messages, what comes in messages is delivered as bytes.
///
/// Wraps the pipe that carries the frames: a TLS socket at the `access` client, a link stream at the connector. Used from
/// the moment the upgrade was answered; both pipes live equally long.
///
/// `finish` sends a close frame and keeps receiving until the peer's own, so that each direction ends by itself as on TCP.
/// Peers that close at once (the official ones do) simply end both. A bare end of the carrying stream is a normal end.
package final class WebSocketPipe: BytePipe, BytePipeSink {
    /// Bounds of one WebSocket.
    package struct Limits: Sendable {
        /// Largest message we accept, bytes.
        package var maximumMessage = 16 << 20
        /// Time between our pings; nil sends none.
        package var pingInterval: TimeAmount? = .seconds(30)
        /// Pings that may stay unanswered before the peer counts as gone.
        package var pingsUnanswered = 2

        package init() {}
    }

    /// Largest message we send. The official connector cuts messages over 16,384 bytes (access-protocol fact 8); a few
    /// less lets message, HTTP/2 frame and TLS record coincide.
    static let outgoingMessage = 16_367

    private let inner: any BytePipe
    private let limits: Limits
    private let inbox = PipeInbox()
    private let encoder: WebSocketFrameEncoder
    private var parser: WebSocketFrameParser
    private var closeSent = false
    private var closeReceived = false
    private var innerReading = false
    private var innerEnded = false
    private var wroteInReply = false
    private var pingsOut = 0
    private var timer: Scheduled<Void>?

    /// Takes the carrying pipe over.
    package init(_ inner: any BytePipe, role: WebSocketRole, limits: Limits = Limits()) {
        self.inner = inner
        self.limits = limits
        encoder = WebSocketFrameEncoder(role: role)
        parser = WebSocketFrameParser(role: role, maximumMessage: limits.maximumMessage)
        inner.attach(self)
        armPing()
    }

    package var eventLoop: any EventLoop { inner.eventLoop }
    package var isWritable: Bool { inner.isWritable }

    package func attach(_ sink: any BytePipeSink) {
        inbox.attach(sink)
    }

    package func read() {
        if inbox.read() { readInner() }
    }

    package func write(_ bytes: ByteBuffer) {
        guard !closeSent else { return }
        var bytes = bytes
        while let message = bytes.readSlice(length: min(bytes.readableBytes, Self.outgoingMessage)),
            message.readableBytes > 0
        {
            inner.write(encoder.binary(message))
        }
    }

    package func flush() {
        inner.flush()
    }

    package func finish(trailers: HTTPHeaders?) {
        finish(code: 1000)
    }

    /// `finish` with another close code than 1000: 1001 says that we are going away.
    package func finish(code: UInt16) {
        sendClose(code)
        if closeReceived || innerEnded { inner.finish(trailers: nil) }
        // The peer's close frame, and the end of the carrying stream behind it, are noticed only while reading.
        readInner()
    }

    package func dismissInput() {
        inner.finish(trailers: nil)
        inner.dismissInput()
    }

    package func abort() {
        end(PipeError.aborted)
    }

    // MARK: BytePipeSink of the carrying pipe

    package func pipeReceived(_ bytes: ByteBuffer) {
        pingsOut = 0
        do throws(PipeError) {
            try parser.parse(bytes) { handle($0) }
        } catch {
            sendClose(error.isTooLarge ? 1009 : 1002)
            end(error)
        }
    }

    package func pipeReadCompleted() {
        innerReading = false
        if wroteInReply {
            wroteInReply = false
            inner.flush()
        }
        // After our close frame we read unasked, to see the peer's, but not more than the sink takes.
        if inbox.readCompleted() || closeSent && !inbox.isHolding { readInner() }
    }

    package func pipeFinished(trailers: HTTPHeaders?) {
        innerEnded = true
        inbox.finished()
        if closeSent { inner.finish(trailers: nil) }
    }

    package func pipeWritabilityChanged() {
        inbox.writabilityChanged()
    }

    package func pipeClosed(_ error: (any Error)?) {
        timer?.cancel()
        // Peers that end without ceremony after a close frame still ended cleanly.
        inbox.closed(closeReceived && closeSent ? nil : error)
    }

    // MARK: Frames

    private func handle(_ event: WebSocketEvent) {
        switch event {
        case .data(let bytes):
            if !closeReceived { inbox.received(bytes) }
        case .ping(let payload):
            // A peer that pings faster than it reads gets no queue of pongs.
            guard !closeSent, inner.isWritable else { return }
            inner.write(encoder.pong(payload))
            wroteInReply = true
        case .pong:
            break
        case .close:
            closeReceived = true
            inbox.finished()
            if closeSent { inner.finish(trailers: nil) }
        }
    }

    private func readInner() {
        guard !innerReading, !innerEnded else { return }
        innerReading = true
        inner.read()
    }

    private func sendClose(_ code: UInt16) {
        guard !closeSent else { return }
        closeSent = true
        inner.write(encoder.close(code: code))
        inner.flush()
    }

    private func end(_ error: PipeError) {
        timer?.cancel()
        closeSent = true
        inbox.closed(error)
        inner.abort()
    }

    private func armPing() {
        guard let interval = limits.pingInterval else { return }
        timer = eventLoop.assumeIsolated().scheduleTask(in: interval) { [weak self] in
            self?.pingDue()
        }
    }

    private func pingDue() {
        guard !inbox.isClosed, !closeSent else { return }
        // While we do not read, because our own side is full, no pong can be seen; while the peer does not take what we
        // write, no ping reaches it. Neither is the fault of a dead peer.
        if innerReading, inner.isWritable {
            guard pingsOut < limits.pingsUnanswered else {
                end(.peerNotResponding)
                return
            }
            pingsOut += 1
        }
        inner.write(encoder.ping())
        inner.flush()
        armPing()
    }
}

extension PipeError {
    fileprivate var isTooLarge: Bool {
        if case .messageTooLarge = self { true } else { false }
    }
}
