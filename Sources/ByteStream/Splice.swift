package import NIOCore
import NIOHTTP1

/// Joins two pipes so that each receives what the other sends: the only place bodies are carried.
///
/// The order in which a byte passes: `pipeReceived` on one end writes to the other; `pipeReadCompleted` flushes once per
/// read cycle; the next `read()` follows only while the other end is writable (back-pressure); `pipeFinished` half-closes
/// the other end after what was queued; `pipeClosed` before that aborts the other end. Both ends must be paused and on
/// one event loop (`LoopBridge` brings a pipe of another loop over). Keeps itself alive until both ends are closed.
package final class Splice {
    /// How long a splice may be silent.
    package struct Limits: Sendable {
        /// No byte in either direction for this long ends the splice. Nil: no limit, something else notices dead peers.
        package var idle: TimeAmount?
        /// The same once one direction has ended: how long the other may be silent then.
        package var idleHalfClosed: TimeAmount?
        /// The same where it was the left side that ended. Nil: `idleHalfClosed`.
        package var idleAfterLeft: TimeAmount?

        package init(
            idle: TimeAmount? = .hours(1), idleHalfClosed: TimeAmount? = .minutes(5), idleAfterLeft: TimeAmount? = nil
        ) {
            self.idle = idle
            self.idleHalfClosed = idleHalfClosed
            self.idleAfterLeft = idleAfterLeft
        }

        fileprivate func allowed(leftFinished: Bool, rightFinished: Bool) -> TimeAmount? {
            if leftFinished, let idleAfterLeft { return idleAfterLeft }
            return leftFinished || rightFinished ? idleHalfClosed ?? idle : idle
        }
    }

    /// What passed, and why it ended. "Left" and "right" as given to `join`.
    package struct Summary: Sendable {
        package var bytesLeftToRight: Int
        package var bytesRightToLeft: Int
        /// Nil when both directions ended cleanly.
        package var error: (any Error)?
    }

    private let limits: Limits
    private let onEnd: (Summary) -> Void
    private var left: Direction?
    private var right: Direction?
    private var firstError: (any Error)?
    private var openEnds = 2
    private var lastActivity: NIODeadline
    private var timer: Scheduled<Void>?
    private let eventLoop: any EventLoop

    /// Starts the splice: takes both pipes over and asks both for their first bytes.
    ///
    /// - Parameters:
    ///   - onEnd: called once on the event loop when both ends have closed.
    package static func join(
        _ left: any BytePipe, _ right: any BytePipe, limits: Limits = Limits(),
        onEnd: @escaping (Summary) -> Void = { _ in }
    ) {
        left.eventLoop.preconditionInEventLoop()
        precondition(left.eventLoop === right.eventLoop, "a splice joins pipes of one event loop")
        let splice = Splice(limits: limits, eventLoop: left.eventLoop, onEnd: onEnd)
        let leftToRight = Direction(splice: splice, source: left, target: right)
        let rightToLeft = Direction(splice: splice, source: right, target: left)
        leftToRight.reverse = rightToLeft
        rightToLeft.reverse = leftToRight
        splice.left = leftToRight
        splice.right = rightToLeft
        splice.armTimer()
        left.attach(leftToRight)
        right.attach(rightToLeft)
        leftToRight.pull()
        rightToLeft.pull()
    }

    private init(limits: Limits, eventLoop: any EventLoop, onEnd: @escaping (Summary) -> Void) {
        self.limits = limits
        self.eventLoop = eventLoop
        lastActivity = eventLoop.now
        self.onEnd = onEnd
    }

    // MARK: One direction

    /// Receives from `source` and writes to `target`. The splice keeps it alive through the pipes' sinks.
    private final class Direction: BytePipeSink {
        let splice: Splice
        let source: any BytePipe
        let target: any BytePipe
        /// The other direction, whose reads our source's writability governs.
        weak var reverse: Direction?
        var bytes = 0
        var finished = false
        private var reading = false

        init(splice: Splice, source: any BytePipe, target: any BytePipe) {
            self.splice = splice
            self.source = source
            self.target = target
        }

        func pull() {
            guard !reading, !finished, target.isWritable else { return }
            reading = true
            source.read()
        }

        func pipeReceived(_ bytes: ByteBuffer) {
            self.bytes += bytes.readableBytes
            target.write(bytes)
        }

        func pipeReadCompleted() {
            reading = false
            splice.lastActivity = splice.eventLoop.now
            target.flush()
            pull()
        }

        func pipeFinished(trailers: HTTPHeaders?) {
            finished = true
            splice.lastActivity = splice.eventLoop.now
            target.finish(trailers: trailers)
            splice.directionFinished()
        }

        func pipeWritabilityChanged() {
            reverse?.pull()
        }

        func pipeClosed(_ error: (any Error)?) {
            let sourceEnded = finished
            finished = true
            // Noted before the abort, whose own end comes at once and is only a consequence.
            splice.note(error)
            if !sourceEnded {
                target.abort()
            } else if reverse?.finished == false {
                // What the source sent is whole and must arrive; only what was on the way to it is lost.
                target.dismissInput()
            }
            splice.endClosed()
        }
    }

    // MARK: The end

    private func directionFinished() {
        timer?.cancel()
        armTimer()
    }

    private func note(_ error: (any Error)?) {
        if firstError == nil { firstError = error }
    }

    private func endClosed() {
        openEnds -= 1
        guard openEnds == 0 else { return }
        timer?.cancel()
        timer = nil
        onEnd(Summary(bytesLeftToRight: left?.bytes ?? 0, bytesRightToLeft: right?.bytes ?? 0, error: firstError))
        // The two directions hold the splice; letting go of them here lets all three be freed.
        left = nil
        right = nil
    }

    private func armTimer() {
        guard let left, let right else { return }
        guard let allowed = limits.allowed(leftFinished: left.finished, rightFinished: right.finished) else { return }
        let remaining = lastActivity + allowed - eventLoop.now
        guard remaining > .nanoseconds(0) else {
            note(PipeError.idle)
            left.source.abort()
            right.source.abort()
            return
        }
        timer = eventLoop.assumeIsolated().scheduleTask(in: remaining) { [weak self] in
            self?.armTimer()
        }
    }
}
