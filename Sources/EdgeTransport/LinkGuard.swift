import NIOCore
import NIOHTTP2
import NIOSSL
import NIOTLS

/// Watches one link from the root of its pipeline: start-up deadline, liveness by PING, the peer's limits, the end.
///
/// Lives as long as the channel and works on its event loop.
final class LinkGuard: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// Succeeds when TLS is up and the peer's SETTINGS came.
    let ready: EventLoopPromise<Void>
    /// Why the link ended; set once, when the channel closes.
    let ended: EventLoopPromise<LinkError>
    /// Streams the peer lets us have open.
    private(set) var peerMaximumStreams = 100
    /// What a head may be towards the peer.
    private(set) var peerHeadLimit = HeadLimit()
    /// The peer announced that it takes no more streams.
    private(set) var peerGoingAway = false

    private let configuration: LinkConfiguration
    private let socket: LinkSocket
    private let sendProgress: (any Channel) -> EventLoopFuture<SendProgress>
    private var context: ChannelHandlerContext?
    private var isReady = false
    private var failure: LinkError?
    private var timer: Scheduled<Void>?
    private var lastHeard: NIODeadline
    private var ping: Ping? {
        didSet { pulse.asked(at: ping?.sent) }
    }
    /// From the last PING that was answered.
    private var roundTrip: TimeAmount? {
        didSet { if let roundTrip { pulse.measured(roundTrip) } }
    }
    /// What other event loops see of all this.
    let pulse = LinkPulse()

    /// A PING whose answer may still come.
    private struct Ping {
        let sent: NIODeadline
        var deadline: NIODeadline
        var isExtended = false
        /// Bytes the peer had taken when this was last looked at.
        var acknowledged: UInt64 = 0
    }

    init(
        configuration: LinkConfiguration, socket: LinkSocket, on eventLoop: any EventLoop,
        sendProgress: @escaping (any Channel) -> EventLoopFuture<SendProgress> = SendProgress.of
    ) {
        self.configuration = configuration
        self.socket = socket
        self.sendProgress = sendProgress
        lastHeard = eventLoop.now
        ready = eventLoop.makePromise()
        ended = eventLoop.makePromise()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let limit = configuration.dialTimeout + configuration.startTimeout
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
            self?.fail(LinkError(.silentStart, "the peer did not complete TLS and HTTP/2 in time"))
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish()
        self.context = nil
    }

    /// Ends the link for our own reason, without waiting for a peer that may not be there.
    func fail(_ error: LinkError) {
        if failure == nil { failure = error }
        socket.cut()
    }

    // MARK: What comes in

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data).payload {
        case .settings(.settings(let settings)):
            for setting in settings {
                switch setting.parameter {
                case .maxConcurrentStreams: peerMaximumStreams = setting.value
                case .maxFrameSize: peerHeadLimit.frame = setting.value
                case .maxHeaderListSize: peerHeadLimit.list = setting.value
                default: break
                }
            }
            if !isReady { started(context) }
        case .goAway:
            peerGoingAway = true
        case .ping(_, ack: true):
            if let ping { roundTrip = context.eventLoop.now - ping.sent }
            ping = nil
        default:
            break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        lastHeard = context.eventLoop.now
        pulse.heard()
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Stream errors end their stream alone.
        if error is NIOHTTP2Errors.StreamError { return }
        if failure == nil { failure = LinkError.classifying(error, ready: isReady) }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish()
        context.fireChannelInactive()
    }

    private func started(_ context: ChannelHandlerContext) {
        isReady = true
        timer?.cancel()
        ready.succeed()
        // The first one only measures the way.
        sendPing(within: configuration.pingTimeout)
    }

    private func finish() {
        timer?.cancel()
        timer = nil
        let error = failure ?? LinkError(.closedByPeer, "the peer closed the link")
        ready.fail(error)
        ended.succeed(error)
    }

    // MARK: Liveness

    /// The peer has to show that it is still there, without waiting for the link to be idle.
    ///
    /// - Parameter urgently: there is reason to doubt it, so that it gets less time.
    func probe(urgently: Bool) {
        guard isReady, failure == nil, let context else { return }
        let bounds = configuration.probeTimeout
        let soon = min(bounds.upperBound, max(bounds.lowerBound, (roundTrip ?? .milliseconds(500)) * 4))
        let limit = urgently ? soon : configuration.pingTimeout
        guard var waiting = ping, lastHeard < waiting.sent else { return sendPing(within: limit) }
        // Probes that come thick and fast must not put the end off.
        waiting.deadline = min(waiting.deadline, context.eventLoop.now + limit)
        ping = waiting
        armLook(at: waiting.deadline)
    }

    /// Something is wanted of the peer: after a silence it is asked at once whether it is there, so that others need not
    /// rely on it if it is not.
    func askIfQuiet() {
        guard isReady, failure == nil, let context, context.eventLoop.now - lastHeard > Self.quiet else { return }
        if let ping, lastHeard < ping.sent { return }
        sendPing(within: configuration.pingTimeout)
    }

    /// A peer that was heard of so lately needs not be asked.
    private static let quiet = TimeAmount.milliseconds(500)

    private func sendPing(within limit: TimeAmount) {
        guard let context else { return }
        let now = context.eventLoop.now
        ping = Ping(sent: now, deadline: now + limit)
        sendProgress(context.channel).assumeIsolated().whenSuccess { [weak self] in
            self?.ping?.acknowledged = $0.acknowledged
        }
        let frame = HTTP2Frame(streamID: .rootStream, payload: .ping(HTTP2PingData(withInteger: 0), ack: false))
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        armLook(at: now + limit)
    }

    private func armLook(at deadline: NIODeadline) {
        guard let context else { return }
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            self?.look()
        }
    }

    private func look() {
        guard let context else { return }
        let now = context.eventLoop.now
        if var waiting = ping, lastHeard < waiting.sent {
            guard now >= waiting.deadline else { return armLook(at: waiting.deadline) }
            // A process that stood still looks at its watch before it looks at its socket.
            guard waiting.isExtended || now - waiting.deadline < Self.standstill else {
                waiting.isExtended = true
                ping = waiting
                return armLook(at: now + configuration.probeTimeout.lowerBound)
            }
            return judge(waiting)
        }
        let due = lastHeard + configuration.pingInterval
        if now >= due { sendPing(within: configuration.pingTimeout) } else { armLook(at: due) }
    }

    /// The time for the answer is up. On a slow way the PING may stand in line behind what was sent before it: as long as
    /// the peer takes that, it is there.
    private func judge(_ waiting: Ping) {
        guard let context else { return }
        let progress = sendProgress(context.channel).assumeIsolated()
        progress.whenComplete { [weak self] result in
            guard let self else { return }
            guard let progress = try? result.get(), progress.isWaiting, progress.acknowledged > waiting.acknowledged
            else {
                return fail(LinkError(.peerSilent, "the peer does not answer pings any more"))
            }
            var waiting = waiting
            waiting.acknowledged = progress.acknowledged
            waiting.deadline = context.eventLoop.now + configuration.pingTimeout
            ping = waiting
            armLook(at: waiting.deadline)
        }
    }

    /// A timer this late was not late by itself.
    private static let standstill = TimeAmount.seconds(1)
}

/// Stands before TLS in the pipeline and can close the connection without TLS's goodbye, which would wait for an answer.
/// Lives as long as the channel and works on its event loop.
final class LinkSocket: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Ends the connection now.
    func cut() {
        context?.close(promise: nil)
    }
}

/// How large a head may be. Exceeding either bound would cost the whole link.
struct HeadLimit {
    /// Bytes of the largest frame. It bounds a head because swift-nio-http2 does not split one into CONTINUATION frames.
    var frame = 16 << 10
    /// Bytes of a header list as RFC 9113 section 6.5.2 counts them.
    var list = Int.max
}
