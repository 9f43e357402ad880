import ByteStream
import NIOCore
import NIOHTTP1

/// The stream of one request towards its origin, whichever link carries it.
///
/// Until the answer begins it keeps what the visitor has sent, within a bound, so that another link can carry it from the
/// beginning; from then on bytes come straight from the link. Lives as long as the request, on the visitor's event loop.
final class OriginStream: BytePipe {
    let eventLoop: any EventLoop
    private var phase = Phase.open
    private var sink: (any BytePipeSink)?
    private var carrier: (any BytePipe)?
    private var receiver: CarrierSink?
    private var sent: SentBytes
    /// Trailers of our end, once it was sent.
    private var sentEnd: HTTPHeaders??
    /// The carrier does not take yet what was sent before it came.
    private var isRepeatOwed = false
    private var isReadOwed = false
    /// The origin's end, when it came before the answer was taken notice of.
    private var heldEnd: HTTPHeaders??

    private enum Phase {
        /// The answer is still to come.
        case open
        /// The answer began.
        case settled
        case over
    }

    /// - Parameter bound: bytes of the request's body that are kept.
    init(on eventLoop: any EventLoop, keeping bound: Int) {
        self.eventLoop = eventLoop
        sent = SentBytes(bound: bound)
    }

    /// Whether another link could carry the request from its beginning.
    var canRepeat: Bool { phase == .open && sent.isWhole }
    var isOver: Bool { phase == .over }

    // MARK: Links

    /// Sends all that was sent so far, and what follows, by this pipe.
    func carry(by pipe: any BytePipe) {
        guard phase == .open else { return pipe.abort() }
        dropCarrier()
        carrier = pipe
        isRepeatOwed = true
        let receiver = CarrierSink(self)
        self.receiver = receiver
        pipe.attach(receiver)
        carrierTakes()
    }

    /// The link that carries the request does no longer.
    func dropCarrier() {
        let former = carrier
        receiver?.stream = nil
        receiver = nil
        carrier = nil
        former?.abort()
    }

    /// The answer began, and the visitor has its head.
    func settle() {
        guard phase == .open else { return }
        // The last chance, whether the carrier is full or not: what is kept is within its bound.
        sendOwed()
        phase = .settled
        sent.forget()
        joinEnds()
    }

    private func joinEnds() {
        guard let sink else { return }
        if let trailers = heldEnd {
            heldEnd = nil
            sink.pipeFinished(trailers: trailers)
        }
        guard let carrier else { return end(PipeError.closedByPeer) }
        carrier.attach(sink)
        receiver = nil
        if isReadOwed { carrier.read() }
        isReadOwed = false
    }

    private func end(_ error: any Error) {
        phase = .over
        sent.forget()
        let last = sink
        sink = nil
        last?.pipeClosed(error)
    }

    // MARK: What the carrier reports before the answer

    fileprivate func carrierTakes() {
        if carrier?.isWritable == true { sendOwed() }
        sink?.pipeWritabilityChanged()
    }

    /// Sends what was sent before the carrier took anything.
    private func sendOwed() {
        guard isRepeatOwed, let carrier else { return }
        isRepeatOwed = false
        // More came meanwhile than is kept.
        guard sent.isWhole else { return carrier.abort() }
        if sent.kept.readableBytes > 0 {
            carrier.write(sent.kept)
            carrier.flush()
        }
        if let sentEnd { carrier.finish(trailers: sentEnd) }
    }

    fileprivate func carrierFinished(_ trailers: HTTPHeaders?) {
        heldEnd = .some(trailers)
    }

    fileprivate func carrierClosed() {
        carrier = nil
        receiver = nil
    }

    // MARK: BytePipe

    var isWritable: Bool { !isRepeatOwed && carrier?.isWritable == true }

    func attach(_ sink: any BytePipeSink) {
        guard phase != .over else { return }
        self.sink = sink
        if phase == .settled { joinEnds() }
    }

    func read() {
        if phase == .settled, let carrier { carrier.read() } else { isReadOwed = true }
    }

    func write(_ bytes: ByteBuffer) {
        guard sentEnd == nil else { return }
        if phase == .open { sent.keep(bytes) }
        if !isRepeatOwed { carrier?.write(bytes) }
    }

    func flush() {
        carrier?.flush()
    }

    func finish(trailers: HTTPHeaders?) {
        guard sentEnd == nil else { return }
        sentEnd = .some(trailers)
        if !isRepeatOwed { carrier?.finish(trailers: trailers) }
    }

    func dismissInput() {
        // Before the answer there is nothing else to wait for.
        if phase == .open { abort() } else { carrier?.dismissInput() }
    }

    func abort() {
        guard phase != .over else {
            carrier?.abort()
            return
        }
        guard let carrier else { return end(PipeError.aborted) }
        phase = .over
        sent.forget()
        if let sink { carrier.attach(sink) }
        receiver = nil
        sink = nil
        carrier.abort()
    }
}

/// Listens to a link that carries a request, until the answer begins.
private final class CarrierSink: BytePipeSink {
    /// Nil when another link carries the request.
    weak var stream: OriginStream?

    init(_ stream: OriginStream) {
        self.stream = stream
    }

    // Nothing is read before the answer, so nothing comes.
    func pipeReceived(_ bytes: ByteBuffer) {}
    func pipeReadCompleted() {}
    func pipeFinished(trailers: HTTPHeaders?) { stream?.carrierFinished(trailers) }
    func pipeWritabilityChanged() { stream?.carrierTakes() }
    func pipeClosed(_ error: (any Error)?) { stream?.carrierClosed() }
}

/// The beginning of a request's body, kept as long as it is within a bound.
///
/// A copy: what a visitor sends byte by byte are slices, each of which would keep the whole storage of a read alive.
private struct SentBytes {
    private(set) var kept = ByteBuffer()
    /// Whether all that was sent is kept.
    private(set) var isWhole = true
    private var room: Int

    init(bound: Int) {
        room = bound
    }

    mutating func keep(_ bytes: ByteBuffer) {
        guard isWhole else { return }
        room -= bytes.readableBytes
        if room >= 0 { kept.writeImmutableBuffer(bytes) } else { forget() }
    }

    mutating func forget() {
        isWhole = false
        kept = ByteBuffer()
    }
}
