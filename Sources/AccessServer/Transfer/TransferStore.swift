import Access
import Crypto
import Foundation
import Synchronization
import TunnelConfig

/// Where a client waits for what its user has allowed in a browser (access-protocol sections 2.10 and 3.7).
///
/// Keys are known by their SHA-256, everything is in memory only, everything is bounded: waiting requests by key and by
/// network they come from, entries in all. What was put in leaves by one download, or after a while.
final class TransferStore: Sendable {
    enum Kind: Hashable, Sendable {
        /// Sealed tokens of an application.
        case tokens
        /// The account's certificate.
        case certificate
    }

    struct Key: Hashable, Sendable {
        let kind: Kind
        private let digest: [UInt8]

        init(_ kind: Kind, _ publicKey: SealedBox.PublicKey) {
            self.kind = kind
            digest = Array(SHA256.hash(data: publicKey.bytes))
        }
    }

    struct Delivery: Hashable, Sendable {
        /// As it is sent.
        var body: String
        /// Of whoever sealed it; nil: it is not sealed.
        var sender: SealedBox.PublicKey?
    }

    enum Outcome: Hashable, Sendable {
        case delivery(Delivery)
        /// Not yet: ask again.
        case nothing
        case tooMany
    }

    struct Limits: Sendable {
        /// The official client gives a request up after 60 s, and its ten requests follow each other without pause.
        var hold: Duration = .seconds(50)
        var waitingLife: TimeInterval = 600
        var readyLife: TimeInterval = 300
        var perKey = 4
        var perNetwork = 64
        var entries = 10_000
        var largestDelivery = 16 << 10
    }

    private typealias Waiter = CheckedContinuation<Outcome, Never>

    private struct Waiting {
        let network: String
        /// Nil until the request has gone to sleep.
        var waiter: Waiter?
    }

    private struct Slot {
        /// Where the last one asked from.
        var address: String
        var expiresAt: Date
        var delivery: Delivery?
        var waiters: [Int: Waiting] = [:]
    }

    private struct State {
        var slots: [Key: Slot] = [:]
        var polls: [String: Int] = [:]
        var nextID = 0
    }

    private let limits: Limits
    private let clock: any Clock<Duration>
    private let now: @Sendable () -> Date
    private let state = Mutex(State())

    init(limits: Limits = Limits(), clock: any Clock<Duration>, now: @escaping @Sendable () -> Date) {
        self.limits = limits
        self.clock = clock
        self.now = now
    }

    /// Waits for a delivery as long as the client's patience lasts. Ends when the task is cancelled.
    func poll(_ key: Key, from address: String) async -> Outcome {
        let begun = begin(key, from: address)
        guard case .wait(let id) = begun else {
            if case .over(let outcome) = begun { return outcome }
            return .nothing
        }
        defer { end(key, id, from: address) }
        return await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await self.wait(key, id) }
            group.addTask { [clock, limits] in
                try? await clock.sleep(for: limits.hold, tolerance: nil)
                return .nothing
            }
            var outcome = await group.next() ?? .nothing
            group.cancelAll()
            // What was handed over while the time ran out is not to be lost.
            for await other in group where outcome == .nothing { outcome = other }
            return outcome
        }
    }

    /// The address that the client who waits for `key` has asked from; nil: nobody has.
    func poller(of key: Key) -> String? {
        state.withLock { state in
            guard let slot = state.slots[key], now() < slot.expiresAt else { return nil }
            return slot.address
        }
    }

    /// Hands over to whoever waits in the network of `address`, which the person has agreed to, or keeps it for the next who
    /// asks from there. False when the last one asked from elsewhere, or nobody has, or there is a delivery already.
    func deposit(_ delivery: Delivery, for key: Key, at address: String) -> Bool {
        let network = Self.network(address)
        guard delivery.body.utf8.count <= limits.largestDelivery else { return false }
        let (isTaken, waiter) = state.withLock { state -> (Bool, Waiter?) in
            guard var slot = state.slots[key], now() < slot.expiresAt, slot.delivery == nil,
                Self.network(slot.address) == network
            else { return (false, nil) }
            let asleep = slot.waiters.compactMap { id, waiting in
                waiting.network == network ? waiting.waiter.map { (id, $0) } : nil
            }
            // Who asked last is the likeliest to be there still.
            if let (id, waiter) = asleep.max(by: { $0.0 < $1.0 }) {
                // One download: the entry is gone with it.
                slot.waiters[id] = nil
                let others = slot.waiters
                state.slots[key] = others.isEmpty ? nil : slot
                return (true, waiter)
            }
            slot.delivery = delivery
            slot.expiresAt = now() + limits.readyLife
            state.slots[key] = slot
            return (true, nil)
        }
        waiter?.resume(returning: .delivery(delivery))
        return isTaken
    }

    func sweep() {
        let now = now()
        state.withLock { state in
            state.slots = state.slots.filter { now < $0.value.expiresAt || !$0.value.waiters.isEmpty }
        }
    }

    /// How many requests wait.
    var waiting: Int {
        state.withLock { $0.slots.values.reduce(0) { $0 + $1.waiters.values.count { $0.waiter != nil } } }
    }

    // MARK: One request

    private enum Begun {
        case over(Outcome)
        case wait(Int)
    }

    private func begin(_ key: Key, from address: String) -> Begun {
        let (now, network) = (now(), Self.network(address))
        return state.withLock { state in
            if let slot = state.slots[key], now >= slot.expiresAt, slot.waiters.isEmpty { state.slots[key] = nil }
            // Whoever has left meanwhile must not take it along.
            if Task.isCancelled { return .over(.nothing) }
            if let slot = state.slots[key], let delivery = slot.delivery {
                guard Self.network(slot.address) == network else { return .over(.tooMany) }
                state.slots[key] = nil
                return .over(.delivery(delivery))
            }
            if state.slots[key] == nil, state.slots.count >= limits.entries { makeRoom(&state, now) }
            guard state.polls[network, default: 0] < limits.perNetwork,
                state.slots[key]?.waiters.count ?? 0 < limits.perKey,
                state.slots[key] != nil || state.slots.count < limits.entries
            else { return .over(.tooMany) }
            var slot = state.slots[key] ?? Slot(address: address, expiresAt: now + limits.waitingLife)
            let id = state.nextID
            state.nextID += 1
            slot.address = address
            slot.waiters[id] = Waiting(network: network)
            state.slots[key] = slot
            state.polls[network, default: 0] += 1
            return .wait(id)
        }
    }

    /// Forgets the hundredth that would go next, of those for whom nobody waits now and nothing lies ready.
    private func makeRoom(_ state: inout State, _ now: Date) {
        state.slots = state.slots.filter { now < $0.value.expiresAt || !$0.value.waiters.isEmpty }
        guard state.slots.count >= limits.entries else { return }
        let idle = state.slots.filter { $0.value.waiters.isEmpty && $0.value.delivery == nil }
        for (key, _) in idle.sorted(by: { $0.value.expiresAt < $1.value.expiresAt }).prefix(limits.entries / 100 + 1) {
            state.slots[key] = nil
        }
    }

    private static func network(_ address: String) -> String {
        IPAddress(address).map(\.network.description) ?? address
    }

    private func wait(_ key: Key, _ id: Int) async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let isOver = state.withLock { state in
                    // Asked under the lock: a cancellation after this finds the waiter in its place.
                    guard !Task.isCancelled, state.slots[key]?.waiters[id] != nil else { return true }
                    state.slots[key]?.waiters[id]?.waiter = waiter
                    return false
                }
                if isOver { waiter.resume(returning: .nothing) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                defer { state.slots[key]?.waiters[id]?.waiter = nil }
                return state.slots[key]?.waiters[id]?.waiter
            }
            waiter?.resume(returning: .nothing)
        }
    }

    private func end(_ key: Key, _ id: Int, from address: String) {
        state.withLock { state in
            state.slots[key]?.waiters[id] = nil
            let network = Self.network(address)
            let left = state.polls[network, default: 1] - 1
            state.polls[network] = left > 0 ? left : nil
        }
    }
}
