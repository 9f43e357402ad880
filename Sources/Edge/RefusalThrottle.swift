import Synchronization
import TunnelConfig

/// Keeps refusals of strangers from filling the audit log: only so many of an address within a window, the others are
/// counted. Bounded; lives as long as the edge. Whoever asks ends the windows.
final class RefusalThrottle: Sendable {
    enum Verdict: Sendable, Equatable {
        /// To be written down; the first of a window, which has to be ended.
        case first
        case keep
        case leaveOut
    }

    /// Who is counted together; nil: all for whom there was no place.
    typealias Source = IPAddress?

    private struct Count: Sendable {
        var kept = 1
        var leftOut = 0
    }

    private let limit: Int
    private let mostSources: Int
    private let counts = Mutex<[Source: Count]>([:])

    /// - Parameter limit: refusals of an address that are kept within one window.
    init(limit: Int, mostSources: Int = 10_000) {
        self.limit = limit
        self.mostSources = mostSources
    }

    func refused(_ address: IPAddress) -> (verdict: Verdict, source: Source) {
        counts.withLock { counts in
            var source: Source = address.network
            if counts[source] == nil, counts.count >= mostSources { source = nil }
            guard var count = counts[source] else {
                counts[source] = Count()
                return (.first, source)
            }
            let isKept = count.kept < limit
            if isKept { count.kept += 1 } else { count.leftOut += 1 }
            counts[source] = count
            return (isKept ? .keep : .leaveOut, source)
        }
    }

    /// A window is over. Returns how many were left out in it.
    func ended(_ source: Source) -> Int {
        counts.withLock { $0.removeValue(forKey: source)?.leftOut ?? 0 }
    }
}
