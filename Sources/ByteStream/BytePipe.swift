package import NIOCore
package import NIOHTTP1

/// One end of a two-way stream of bytes, confined to one event loop.
///
/// Every conformer keeps the same contract, so that `Splice` can join any two:
/// - Nothing comes in before `attach(_:)` and a `read()`; each `read()` asks for one more delivery, which may be several
///   `pipeReceived` calls and ends with one `pipeReadCompleted`. What arrives unasked is held, within the bound of the
///   transport's window.
/// - The two directions end separately: `finish` ends ours, `pipeFinished` tells that the peer ended theirs.
/// - `pipeClosed` comes exactly once, last, and on the event loop; after it the pipe lets go of its sink.
///
/// All members are called on `eventLoop`.
package protocol BytePipe: AnyObject {
    /// The loop on which everything of this pipe happens.
    var eventLoop: any EventLoop { get }

    /// False while the transport's queue is above its high-water mark: stop writing until `pipeWritabilityChanged`.
    var isWritable: Bool { get }

    /// Names the receiver of what comes in; replaces an earlier one. Does not start the reads.
    func attach(_ sink: any BytePipeSink)

    /// Asks for one more delivery. Further calls before the delivery came are ignored.
    func read()

    /// Queues bytes; `flush` sends them. Ignored after `finish` and after the pipe closed.
    func write(_ bytes: ByteBuffer)

    /// Sends what was queued.
    func flush()

    /// Ends our direction after what was queued, with trailers where the transport has them. Flushes. Idempotent.
    func finish(trailers: HTTPHeaders?)

    /// Gives up what still comes in, once what we sent and its end have left: for when nobody is there any more to take it.
    /// Call after `finish`. `pipeClosed` follows.
    func dismissInput()

    /// Ends both directions at once, telling the peer that the stream failed where the transport can say so. Idempotent;
    /// `pipeClosed` follows.
    func abort()
}

/// The receiver of what comes in on a `BytePipe`.
package protocol BytePipeSink: AnyObject {
    /// Bytes from the peer, in order.
    func pipeReceived(_ bytes: ByteBuffer)

    /// The delivery asked for by `read()` is over: flush what it caused, then ask again.
    func pipeReadCompleted()

    /// The peer ended its direction. Nothing more is received.
    func pipeFinished(trailers: HTTPHeaders?)

    /// `isWritable` changed.
    func pipeWritabilityChanged()

    /// Both directions are over. Nil after a clean end of both, else the cause.
    func pipeClosed(_ error: (any Error)?)
}

/// Why a pipe or a splice ended early.
package enum PipeError: Error, Equatable, CustomStringConvertible {
    /// Our side gave the stream up.
    case aborted
    /// Nothing moved in either direction for the time allowed.
    case idle
    /// The peer went away in the middle of the stream.
    case closedByPeer
    /// The peer broke the framing; the text says how.
    case protocolViolation(String)
    /// A message exceeded the limit, in bytes.
    case messageTooLarge(limit: Int)
    /// The peer stopped answering pings.
    case peerNotResponding

    package var description: String {
        switch self {
        case .aborted: "the stream was given up on this side"
        case .idle: "nothing moved on the stream for the time allowed"
        case .closedByPeer: "the peer went away in the middle of the stream"
        case .protocolViolation(let what): "the peer broke the protocol: \(what)"
        case .messageTooLarge(let limit): "the peer sent a message over \(limit) bytes"
        case .peerNotResponding: "the peer does not answer pings any more"
        }
    }
}
