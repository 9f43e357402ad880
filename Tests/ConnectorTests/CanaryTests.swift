import Synchronization
import TestKit
import Testing

@testable import Connector

@Suite(.timeLimit(.minutes(1))) struct CanaryTests {
    private struct Lost: Error, CustomStringConvertible { let description = "502" }

    /// Runs a canary whose questions are answered by `ask`; `told` waits for what became of the next one.
    private func running(
        _ ask: @escaping @Sendable (ManualClock) async throws -> Void,
        _ body: (_ clock: ManualClock, _ told: () async -> Canary.Answer?) async throws -> Void
    ) async throws {
        let clock = ManualClock()
        let canary = Canary(interval: .seconds(30)) { try await ask(clock) }
        let (answers, feed) = AsyncStream.makeStream(of: Canary.Answer.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await canary.run(clock: clock) { feed.yield($0) } }
            try await body(clock) {
                for await answer in answers { return answer }
                return nil
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    @Test func `one failure does not count, two in a row do, and one answer makes up for them`() async throws {
        let outcomes = Mutex([true, false, true, false, false, false, true])
        try await running { _ in
            if outcomes.withLock({ !$0.removeFirst() }) { throw Lost() }
        } _: { clock, told in
            var counted: [String?] = []
            for _ in 0..<7 {
                await clock.waitForSleepers(1)
                clock.advance(by: .seconds(30))
                counted.append(try #require(await told()).countedFailure)
            }
            #expect(counted == [nil, nil, nil, nil, "502", "502", nil])
        }
    }

    @Test func `an answer that does not come in time is none, and the next question is asked`() async throws {
        try await running { clock in
            try await clock.sleep(for: .seconds(1000))
        } _: { clock, told in
            for _ in 0..<2 {
                await clock.waitForSleepers(1)
                clock.advance(by: .seconds(30))
                // The question and its deadline.
                await clock.waitForSleepers(2)
                #expect(clock.nextWake == .seconds(10))
                clock.advance(by: .seconds(10))
                #expect(await told()?.failure == "no answer within 10.0 seconds")
            }
        }
    }

    @Test func `two failures make a connector not ready and say so, connections or not`() {
        var readiness = Readiness()
        _ = readiness.apply(.connected(index: 0, location: "here", address: "a"))
        #expect(readiness.canaryAnswered(counting: nil) == .none)
        #expect(readiness.canaryAnswered(counting: "502") == .changed)
        #expect(readiness.canaryAnswered(counting: "503") == .none)
        #expect(readiness.readyConnections == 1)
        #expect(
            readiness.status(wanted: 1) == "1 of 1 links: 1xhere; not ready, the canary does not come back: 503")
        #expect(readiness.canaryAnswered(counting: nil) == .changed)
        #expect(readiness.status(wanted: 1) == "1 of 1 links: 1xhere")
    }
}
