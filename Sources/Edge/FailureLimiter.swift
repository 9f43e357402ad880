import Access
import AccessPolicy
import Synchronization
import TunnelConfig

/// Counts wrong service tokens, so that nobody can try many: per address, and per id from an address, since an id alone
/// would let anybody lock its owner out (access-protocol section 3.13, 8). Bounded; lives as long as the edge.
final class FailureLimiter: Sendable {
    /// Wrong tokens within one window after which none is looked at any more.
    struct Limits: Sendable {
        var perID = 10
        var perAddress = 50
        var window = Duration.seconds(60)
    }

    private struct Key: Hashable, Sendable {
        /// Nil: all of an address together.
        var clientID: String?
        var network: UInt128
    }

    private struct Count: Sendable {
        var began: Duration
        var failures = 0
    }

    private let limits: Limits
    private let now: @Sendable () -> Duration
    private let counts = Mutex(BoundedMemory<Key, Count>(limit: 10_000))

    init(limits: Limits = Limits(), now: @escaping @Sendable () -> Duration = RejectionLog.uptime()) {
        self.limits = limits
        self.now = now
    }

    /// Whether a token is not even to be looked at.
    func isBlocked(_ token: PresentedServiceToken, from address: IPAddress) -> Bool {
        let now = now()
        let (one, all) = Self.keys(token, address)
        return counts.withLock { counts in
            func failures(_ key: Key) -> Int {
                guard let count = counts[key], now - count.began < limits.window else { return 0 }
                return count.failures
            }
            return failures(one) >= limits.perID || failures(all) >= limits.perAddress
        }
    }

    func failed(_ token: PresentedServiceToken, from address: IPAddress) {
        let now = now()
        let (one, all) = Self.keys(token, address)
        counts.withLock { counts in
            for key in [one, all] {
                var count = counts[key] ?? Count(began: now)
                if now - count.began >= limits.window { count = Count(began: now) }
                count.failures += 1
                counts[key] = count
            }
        }
    }

    private static func keys(_ token: PresentedServiceToken, _ address: IPAddress) -> (one: Key, all: Key) {
        let network = address.network
        return (
            Key(clientID: String(token.clientID.prefix(64)), network: network), Key(clientID: nil, network: network)
        )
    }
}
