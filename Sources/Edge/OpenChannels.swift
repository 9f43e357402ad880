import NIOCore
import Synchronization

/// The connections that a listener has accepted and that still live, within a bound.
final class OpenChannels: Sendable {
    private let limit: Int
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])
    private let quiescing = Atomic<Bool>(false)

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { channels.withLock { $0.count } }

    /// Keeps the channel until it closes. False, and not kept, when there are too many.
    func admit(_ channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let isAdmitted = channels.withLock { channels in
            guard channels.count < limit else { return false }
            channels[id] = channel
            return true
        }
        if isAdmitted {
            channel.closeFuture.whenComplete { _ in self.channels.withLock { $0[id] = nil } }
        }
        return isAdmitted
    }

    /// Whether all were asked to end; who is not set up yet has to be asked then.
    var isQuiescing: Bool { quiescing.load(ordering: .acquiring) }

    /// Asks all to end when they have answered what they are about.
    func quiesce() {
        quiescing.store(true, ordering: .releasing)
        for channel in all { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    func closeAll() {
        for channel in all { channel.close(promise: nil) }
    }

    /// Returns when all have closed, or the time is up, or the task is cancelled.
    func waitUntilEmpty(for limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        while count > 0, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private var all: [any Channel] { channels.withLock { Array($0.values) } }
}
