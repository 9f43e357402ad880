import Foundation
import Synchronization
import TunnelConfig

/// Keeps what may be taken out once, for a while: logins that have begun, and their results. In memory only.
///
/// Bounded in all and by the network it comes from, so that a flood from one place throws out its own, and one from
/// everywhere the oldest: nobody is turned away.
final class OneTimeStore<Value: Sendable>: Sendable {
    private struct Entry {
        var value: Value
        var network: String
        var expiresAt: Date
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// Keys by network, oldest first; some may be gone.
        var keys: [String: [String]] = [:]
    }

    private let lifetime: TimeInterval
    private let limit: Int
    private let perNetwork: Int
    private let state = Mutex(State())

    init(lifetime: TimeInterval, limit: Int = 20_000, perNetwork: Int = 64) {
        self.lifetime = lifetime
        self.limit = limit
        self.perNetwork = perNetwork
    }

    /// Returns the key to take it out by.
    func add(_ value: Value, from address: String, now: Date) -> String {
        let key = RandomText.token()
        let network = IPAddress(address).map(\.network.description) ?? address
        state.withLock { state in
            if state.entries.count >= limit { Self.sweep(&state, now) }
            if state.entries.count >= limit { makeRoom(&state, now) }
            var own = state.keys[network, default: []].filter { state.entries[$0] != nil }
            if own.count >= perNetwork { state.entries[own.removeFirst()] = nil }
            state.entries[key] = Entry(value: value, network: network, expiresAt: now + lifetime)
            state.keys[network] = own + [key]
        }
        return key
    }

    /// Forgets the oldest hundredth, so that not every one that comes has to look for them.
    private func makeRoom(_ state: inout State, _ now: Date) {
        for (key, _) in state.entries.sorted(by: { $0.value.expiresAt < $1.value.expiresAt }).prefix(limit / 100 + 1) {
            state.entries[key] = nil
        }
        Self.sweep(&state, now)
    }

    /// Whatever comes of it, it is gone.
    func take(_ key: String, now: Date) -> Value? {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: key) else { return nil }
            state.keys[entry.network]?.removeAll { $0 == key }
            if state.keys[entry.network]?.isEmpty == true { state.keys[entry.network] = nil }
            return now < entry.expiresAt ? entry.value : nil
        }
    }

    func sweep(now: Date) { state.withLock { Self.sweep(&$0, now) } }

    var count: Int { state.withLock(\.entries.count) }

    private static func sweep(_ state: inout State, _ now: Date) {
        state.entries = state.entries.filter { now < $0.value.expiresAt }
        state.keys = state.keys.compactMapValues { keys in
            let live = keys.filter { state.entries[$0] != nil }
            return live.isEmpty ? nil : live
        }
    }
}
