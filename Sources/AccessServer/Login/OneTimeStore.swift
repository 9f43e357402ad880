import Foundation
import Synchronization

/// Keeps what may be taken out once, for a while: logins that have begun, and their results. In memory only.
///
/// Bounded in all and by the address it comes from, so that a flood from one place throws out its own.
final class OneTimeStore<Value: Sendable>: Sendable {
    private struct Entry {
        var value: Value
        var address: String
        var expiresAt: Date
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// Keys by address, oldest first; some may be gone.
        var keys: [String: [String]] = [:]
    }

    private let lifetime: TimeInterval
    private let limit: Int
    private let perAddress: Int
    private let state = Mutex(State())

    init(lifetime: TimeInterval, limit: Int = 20_000, perAddress: Int = 64) {
        self.lifetime = lifetime
        self.limit = limit
        self.perAddress = perAddress
    }

    /// Returns the key to take it out by; nil when there is no room.
    func add(_ value: Value, from address: String, now: Date) -> String? {
        let key = RandomText.token()
        return state.withLock { state in
            if state.entries.count >= limit { Self.sweep(&state, now) }
            var own = state.keys[address, default: []].filter { state.entries[$0] != nil }
            if own.count >= perAddress { state.entries[own.removeFirst()] = nil }
            guard state.entries.count < limit else {
                state.keys[address] = own
                return nil
            }
            state.entries[key] = Entry(
                value: value, address: address, expiresAt: now + lifetime)
            state.keys[address] = own + [key]
            return key
        }
    }

    /// Whatever comes of it, it is gone.
    func take(_ key: String, now: Date) -> Value? {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: key) else { return nil }
            state.keys[entry.address]?.removeAll { $0 == key }
            if state.keys[entry.address]?.isEmpty == true { state.keys[entry.address] = nil }
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
