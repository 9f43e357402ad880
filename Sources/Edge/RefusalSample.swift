import Access
import Synchronization
import TunnelConfig

/// Which refusals the audit log is to keep: so many a minute from one network, then how many were left out. A stranger who
/// knocks without end must not fill a disk. Bounded; lives as long as the edge.
final class RefusalSample: Sendable {
    private struct Window: Sendable {
        var began: Duration
        var kept = 0
        var leftOut = 0
    }

    private static let most = 30
    private static let length = Duration.seconds(60)

    private let now: @Sendable () -> Duration
    private let windows = Mutex(BoundedMemory<IPAddress, Window>(limit: 10_000))

    init(now: @escaping @Sendable () -> Duration = RejectionLog.uptime()) {
        self.now = now
    }

    /// How many were left out before this one; nil: it is left out as well.
    func keeps(from address: IPAddress) -> Int? {
        let (now, network) = (now(), address.network)
        return windows.withLock { windows in
            var window = windows[network] ?? Window(began: now)
            if now - window.began >= Self.length {
                window.began = now
                window.kept = 0
            }
            defer { windows[network] = window }
            guard window.kept < Self.most else {
                window.leftOut += 1
                return nil
            }
            window.kept += 1
            defer { window.leftOut = 0 }
            return window.leftOut
        }
    }
}
