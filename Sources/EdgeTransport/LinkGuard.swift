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
    private var context: ChannelHandlerContext?
    private var isReady = false
    private var failure: LinkError?
    private var timer: Scheduled<Void>?
    private var lastHeard = NIODeadline.now()
    private var pingSent: NIODeadline?

    init(configuration: LinkConfiguration, on eventLoop: any EventLoop) {
        self.configuration = configuration
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

    /// Ends the link for our own reason.
    func fail(_ error: LinkError) {
        if failure == nil { failure = error }
        context?.close(promise: nil)
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
        default:
            break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        lastHeard = .now()
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
        armPing(context.eventLoop, in: configuration.pingInterval)
    }

    private func finish() {
        timer?.cancel()
        timer = nil
        let error = failure ?? LinkError(.closedByPeer, "the peer closed the link")
        ready.fail(error)
        ended.succeed(error)
    }

    // MARK: Liveness

    private func armPing(_ eventLoop: any EventLoop, in delay: TimeAmount) {
        timer = eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
            self?.pingDue()
        }
    }

    private func pingDue() {
        guard let context else { return }
        let now = NIODeadline.now()
        if let sent = pingSent, lastHeard < sent {
            guard now - sent < configuration.pingTimeout else {
                fail(LinkError(.peerSilent, "the peer does not answer pings any more"))
                return
            }
            armPing(context.eventLoop, in: sent + configuration.pingTimeout - now)
            return
        }
        pingSent = nil
        let due = lastHeard + configuration.pingInterval
        guard now >= due else {
            armPing(context.eventLoop, in: due - now)
            return
        }
        pingSent = now
        let ping = HTTP2Frame(streamID: .rootStream, payload: .ping(HTTP2PingData(withInteger: 0), ack: false))
        context.writeAndFlush(wrapOutboundOut(ping), promise: nil)
        armPing(context.eventLoop, in: configuration.pingTimeout)
    }
}

/// How large a head may be. Exceeding either bound would cost the whole link.
struct HeadLimit {
    /// Bytes of the largest frame. It bounds a head because swift-nio-http2 does not split one into CONTINUATION frames.
    var frame = 16 << 10
    /// Bytes of a header list as RFC 9113 section 6.5.2 counts them.
    var list = Int.max
}
