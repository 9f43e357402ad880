import EdgeTransport
import Fuzzing
import NIOCore
import Synchronization
import TestKit

@testable import Connector

/// A name service as a connection manager meets it: its answers fail, hang and change by a seed. Counts what must never
/// happen.
final class SimulatedNames: Sendable {
    private struct State {
        var random: SeededGenerator
        var isAsked = false
        var lastEnd: Duration?
        var broken: [String] = []
    }

    private let clock: ManualClock
    private let state: Mutex<State>

    init(seed: UInt64, clock: ManualClock) {
        self.clock = clock
        state = Mutex(State(random: SeededGenerator(seed: seed &+ 99)))
    }

    /// Rules that were broken, in words.
    var broken: [String] { state.withLock { $0.broken } }

    func look() async throws -> EdgeAddresses {
        let now = clock.now.offset
        let (dice, time) = state.withLock { state in
            if state.isAsked { state.broken.append("two lookups at once") }
            if let last = state.lastEnd, now - last < AddressLookups.pace.floor {
                state.broken.append("a lookup \(now - last) after the last")
            }
            state.isAsked = true
            return (
                Int.random(in: 0..<4, using: &state.random),
                Duration.milliseconds(Int.random(in: 1...15_000, using: &state.random))
            )
        }
        defer {
            let now = clock.now.offset
            state.withLock { state in
                state.isAsked = false
                state.lastEnd = now
            }
        }
        if dice != 0 { try await clock.sleep(for: time) }
        if dice == 1 { throw LinkError(.edgeUnknown, "no answer") }
        let found = state.withLock { Self.answer(using: &$0.random) }
        guard !found.isEmpty else { throw LinkError(.edgeUnknown, "no address") }
        return found
    }

    private static func answer(using random: inout SeededGenerator) -> EdgeAddresses {
        let regions = (0..<2).map { region in
            (0..<Int.random(in: 0...2, using: &random)).compactMap { host -> EdgeAddresses.Entry? in
                let text = Bool.random(using: &random) ? "192.0.2.\(region * 8 + host)" : "2001:db8::\(region):\(host)"
                return (try? SocketAddress(ipAddress: text, port: 7844)).map { .init(endpoints: [.address($0)]) }
            }
        }
        return EdgeAddresses(
            regions: regions, isStatic: false, missing: Bool.random(using: &random) ? "one region is missing" : nil)
    }
}
