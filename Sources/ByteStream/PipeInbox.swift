package import NIOCore
package import NIOHTTP1

/// The receiving half of a `BytePipe`: delivers to the sink on demand, holds what came unasked, ends in order.
///
/// Several transports push: an HTTP/2 stream hands over all it has when it closes, a decoder may find several messages in
/// one read. What is held is bounded by the transport, which does not read (or does not re-open its window) unasked.
/// Confined to the event loop of the pipe that owns it; lives as long as that pipe.
package final class PipeInbox {
    private var sink: (any BytePipeSink)?
    private var held = CircularBuffer<ByteBuffer>()
    private var wanted = false
    private var deliveredSinceWanted = false
    private var finish = Ending<HTTPHeaders?>.open
    private var close = Ending<(any Error)?>.open

    private enum Ending<Value> {
        case open
        case pending(Value)
        case delivered
    }

    package init() {}

    /// Whether the peer's end of stream was seen, delivered or not.
    package var isFinished: Bool {
        if case .open = finish { false } else { true }
    }

    /// Whether bytes wait for the sink to ask.
    package var isHolding: Bool { !held.isEmpty }

    /// Whether `closed` was called.
    package var isClosed: Bool {
        if case .open = close { false } else { true }
    }

    /// See `BytePipe.attach`.
    package func attach(_ sink: any BytePipeSink) {
        if case .delivered = close { return }
        self.sink = sink
        deliverEnding()
    }

    /// See `BytePipe.read`. Returns true when the transport has to be asked for more.
    package func read() -> Bool {
        guard !wanted, sink != nil else { return false }
        guard !held.isEmpty else {
            guard case .open = finish, case .open = close else { return false }
            wanted = true
            deliveredSinceWanted = false
            return true
        }
        while let bytes = held.popFirst() {
            sink?.pipeReceived(bytes)
        }
        if case .open = finish { sink?.pipeReadCompleted() } else { deliverEnding() }
        return false
    }

    /// The transport delivered bytes.
    package func received(_ bytes: ByteBuffer) {
        guard case .open = finish, case .open = close, bytes.readableBytes > 0 else { return }
        if wanted, held.isEmpty, let sink {
            deliveredSinceWanted = true
            sink.pipeReceived(bytes)
        } else {
            held.append(bytes)
        }
    }

    /// The transport's read cycle is over. Returns true when the demand is still open and the transport must read again.
    package func readCompleted() -> Bool {
        guard wanted else { return false }
        guard deliveredSinceWanted else { return true }
        wanted = false
        sink?.pipeReadCompleted()
        return false
    }

    /// The transport takes more, or no more, for now.
    package func writabilityChanged() {
        sink?.pipeWritabilityChanged()
    }

    /// The peer ended its direction.
    package func finished(trailers: HTTPHeaders? = nil) {
        guard case .open = finish, case .open = close else { return }
        finish = .pending(trailers)
        deliverEnding()
    }

    /// Both directions are over. With an error before the peer's end, what was held is dropped and the sink told at once.
    /// A clean close, and any close after the peer's end, waits until everything was delivered, unless this side gives it up
    /// (`PipeError.aborted`). Another error after that is the transport's clearing up and loses nothing that came before.
    package func closed(_ error: (any Error)?) {
        switch close {
        case .open: break
        case .pending where error as? PipeError == .aborted: break
        case .pending, .delivered: return
        }
        if let error {
            if !isFinished || error as? PipeError == .aborted {
                held.removeAll()
                finish = .delivered
            }
            close = .pending(error)
        } else {
            if case .open = finish { finish = .pending(nil) }
            close = .pending(nil)
        }
        deliverEnding()
    }

    private func deliverEnding() {
        guard held.isEmpty, let sink else { return }
        if wanted, deliveredSinceWanted {
            // The sink is owed the end of its delivery first, so that it flushes.
            wanted = false
            sink.pipeReadCompleted()
            guard self.sink != nil else { return }
        }
        if case .pending(let trailers) = finish {
            finish = .delivered
            sink.pipeFinished(trailers: trailers)
        }
        if case .pending(let error) = close, held.isEmpty {
            close = .delivered
            let last = self.sink
            self.sink = nil
            last?.pipeClosed(error)
        }
    }
}
