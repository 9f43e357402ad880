import EdgeTransport
import Fuzzing
import Synchronization
import TestKit

@testable import Connector

/// An edge as a connection manager meets it, whose faults are drawn from a seed; time is the clock's.
///
/// It stands in for the network, which no seed controls, and counts what must never happen.
final class SimulatedEdge: Sendable {
    enum Fault: CaseIterable {
        case refusedDial, silentDial, loss, flap, duplicate, busy, mute, staleNetwork
    }

    private struct State {
        var random: SeededGenerator
        var dialing: Set<UInt8> = []
        /// Registered and not ended.
        var live: Set<UInt8> = []
        var lastEnd: [UInt8: Duration] = [:]
        var attempts = 0
        var broken: [String] = []
        var readiness = Readiness()
    }

    private let clock: ManualClock
    private let state: Mutex<State>

    init(seed: UInt64, clock: ManualClock) {
        self.clock = clock
        state = Mutex(State(random: SeededGenerator(seed: seed)))
    }

    var attempts: Int { state.withLock { $0.attempts } }
    var readyConnections: Int { state.withLock { $0.readiness.readyConnections } }
    /// Rules that were broken, in words.
    var broken: [String] { state.withLock { $0.broken } }

    /// What the manager reports, checked against what is so.
    func reported(_ event: ConnectionEvent) {
        state.withLock { state in
            _ = state.readiness.apply(event)
            if case .connected(let index, _, _) = event, !state.live.contains(index) {
                state.broken.append("connection \(index) reported without a link")
            }
        }
    }

    /// One attempt; ends as the seed wants, or when drained or cancelled.
    func connect(_ attempt: ConnectionAttempt) async throws -> SessionEnd {
        let (fault, first, second) = begin(attempt.index)
        defer { end(attempt.index) }
        switch fault {
        case .refusedDial:
            throw LinkError(.dialFailed, "refused")
        case .silentDial:
            guard await !rest(.seconds(5), attempt) else { throw LinkError(.dialFailed, "the drain began") }
            throw LinkError(.dialFailed, "nothing answers")
        case .staleNetwork:
            throw LinkError(.networkChanged, "changed")
        case .mute:
            return await rest(first, attempt) ? .drained : .lost("no control stream")
        case .duplicate:
            return .refused(.init(reason: "EDUPCONN", retryable: true, retryAfter: nil))
        case .busy:
            return .refused(.init(reason: "busy", retryable: true, retryAfter: first))
        case .flap, .loss:
            guard await !rest(.milliseconds(50), attempt) else { return .drained }
            state.withLock { _ = $0.live.insert(attempt.index) }
            attempt.report(.connected(index: attempt.index, location: "here", address: attempt.edge.host))
            return await rest(fault == .flap ? .milliseconds(100) : second, attempt) ? .drained : .lost("gone")
        }
    }

    private func begin(_ index: UInt8) -> (Fault, Duration, Duration) {
        let now = clock.now.offset
        return state.withLock { state in
            state.attempts += 1
            if !state.dialing.insert(index).inserted { state.broken.append("two dials in slot \(index)") }
            if let last = state.lastEnd[index], now - last < Backoff.Pace.path.floor {
                state.broken.append("slot \(index) dialled \(now - last) after its last end")
            }
            return (
                Fault.allCases.randomElement(using: &state.random) ?? .loss,
                .milliseconds(Int.random(in: 0...20_000, using: &state.random)),
                .seconds(Int.random(in: 1...600, using: &state.random))
            )
        }
    }

    private func end(_ index: UInt8) {
        let now = clock.now.offset
        state.withLock { state in
            state.dialing.remove(index)
            state.live.remove(index)
            state.lastEnd[index] = now
        }
    }

    /// Whether the drain began, or a cancellation came, before the time was over.
    private func rest(_ duration: Duration, _ attempt: ConnectionAttempt) async -> Bool {
        let clock = clock
        return await withTaskGroup(of: Bool.self) { tasks in
            tasks.addTask { (try? await clock.sleep(for: duration)) == nil }
            tasks.addTask {
                await attempt.draining.wait()
                return true
            }
            let first = await tasks.next() ?? true
            tasks.cancelAll()
            return first
        }
    }
}
