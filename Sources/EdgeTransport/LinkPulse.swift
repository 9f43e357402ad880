import NIOCore
import Synchronization

/// Whether the peer of a link lets an answer wait: written on the link's event loop, read by any. Lives as long as the link.
final class LinkPulse: Sendable {
    /// Uptime in nanoseconds at which the unanswered PING was sent; 0 when there is none.
    private let asked = Atomic<UInt64>(0)
    /// Nanoseconds that an answer may take.
    private let patience = Atomic<Int64>(leastPatience)

    /// Below this a wait says more about the hosts than about the way between them.
    private static let leastPatience: Int64 = 500_000_000
    /// Round trips that an answer may take.
    private static let roundTrips: Int64 = 4

    /// A PING was sent; nil: none waits for an answer any more.
    func asked(at time: NIODeadline?) {
        asked.store(time?.uptimeNanoseconds ?? 0, ordering: .relaxed)
    }

    /// Anything came.
    func heard() {
        if asked.load(ordering: .relaxed) != 0 { asked.store(0, ordering: .relaxed) }
    }

    func measured(_ roundTrip: TimeAmount) {
        patience.store(max(Self.leastPatience, roundTrip.nanoseconds * Self.roundTrips), ordering: .relaxed)
    }

    func isSilent(at now: @autoclosure () -> NIODeadline) -> Bool {
        let asked = asked.load(ordering: .relaxed)
        guard asked != 0 else { return false }
        return now() - .uptimeNanoseconds(asked) > .nanoseconds(patience.load(ordering: .relaxed))
    }
}
