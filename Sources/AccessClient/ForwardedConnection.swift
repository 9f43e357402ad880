import ByteStream
import NIOCore

/// One local connection and its open WebSocket, from the upgrade until both have ended.
// Safety: all state is touched on the event loop of both pipes only; `carry` and cancellation hop there.
final class ForwardedConnection: @unchecked Sendable {
    private let local: ChannelPipe
    private let remote: ChannelPipe
    private let configuration: ForwarderConfiguration
    private var webSocket: WebSocketPipe?
    private var isLeaving = false
    private var isOver = false

    /// Both pipes must be paused and of one event loop.
    init(local: ChannelPipe, remote: ChannelPipe, configuration: ForwarderConfiguration) {
        self.local = local
        self.remote = remote
        self.configuration = configuration
    }

    /// Carries bytes until both sides have ended. Cancelling says goodbye with 1001 and ends within the grace period.
    func carry() async -> Splice.Summary {
        let eventLoop = local.eventLoop
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                eventLoop.execute {
                    self.start { continuation.resume(returning: $0) }
                }
            }
        } onCancel: {
            eventLoop.execute { self.leave() }
        }
    }

    private func start(onEnd: @escaping (Splice.Summary) -> Void) {
        let webSocket = WebSocketPipe(remote, role: .client, limits: configuration.webSocket)
        self.webSocket = webSocket
        // A dead edge is noticed by its missing pongs. After the edge's end standard input has nobody to talk to for long;
        // a socket may still be sending to a peer that only listens.
        let isStandardIO = configuration.isStandardIO
        let limits = Splice.Limits(
            idle: nil, idleHalfClosed: isStandardIO ? configuration.linger : .minutes(5),
            idleAfterLeft: configuration.linger)
        Splice.join(local, webSocket, limits: limits) { summary in
            self.isOver = true
            onEnd(summary)
        }
        if isLeaving { goAway() }
    }

    private func leave() {
        guard !isLeaving, !isOver else { return }
        isLeaving = true
        if webSocket != nil { goAway() }
    }

    private func goAway() {
        webSocket?.finish(code: 1001)
        local.eventLoop.assumeIsolated().scheduleTask(in: configuration.shutdownGrace) {
            guard !self.isOver else { return }
            self.webSocket?.abort()
            self.local.abort()
        }
    }
}
