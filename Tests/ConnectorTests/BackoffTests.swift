import Fuzzing
import Testing

@testable import Connector

struct BackoffTests {
    private static let paces = [Backoff.Pace.path, .flapping, .refusal]

    @Test func `over thousands of seeds every wait lies between the floor and a bound that never passes the cap`() {
        for seed in UInt64(0)..<5000 {
            var random = SeededGenerator(seed: seed)
            var backoff = Backoff()
            for _ in 0..<40 {
                let pace = Self.paces[Int.random(in: 0..<3, using: &random)]
                let bound = backoff.upperBound(pace)
                let wait = backoff.wait(pace, using: &random)
                #expect(bound >= pace.start && bound <= pace.cap ?? backoff.cap, "seed \(seed)")
                #expect(wait >= pace.floor && wait <= bound, "seed \(seed)")
                if Int.random(in: 0..<8, using: &random) == 0 { backoff.connectionLasted() }
            }
        }
    }

    @Test func `waits grow to the cap and are drawn anew each time`() {
        var random = SeededGenerator(seed: 7)
        var backoff = Backoff()
        let waits = (0..<200).map { _ in backoff.wait(.refusal, using: &random) }
        #expect(Set(waits).count == waits.count)
        #expect(waits.contains { $0 > .seconds(20) })
        #expect(waits[0] <= .seconds(2))
    }

    @Test(arguments: [0, 1, 3, 8])
    func `the number of retries bounds every pace, down to its floor`(retries: Int) {
        for seed in UInt64(0)..<200 {
            var random = SeededGenerator(seed: seed)
            var backoff = Backoff(cap: .seconds(1 << retries))
            for pace in Self.paces + Self.paces {
                let wait = backoff.wait(pace, using: &random)
                #expect(wait >= pace.floor && wait <= max(pace.floor, .seconds(1 << retries)), "seed \(seed)")
            }
        }
    }

    @Test func `a connection that lasted starts from the beginning`() {
        var random = SeededGenerator(seed: 1)
        var backoff = Backoff()
        for _ in 0..<20 { _ = backoff.wait(.path, using: &random) }
        backoff.connectionLasted()
        #expect(backoff.upperBound(.path) == .milliseconds(600))
    }

    @Test func `the edge's own wish is a lower bound, up to five minutes`() {
        var random = SeededGenerator(seed: 1)
        var backoff = Backoff()
        #expect(backoff.wait(.refusal, hint: .seconds(40), using: &random) == .seconds(40))
        #expect(backoff.wait(.refusal, hint: .seconds(86_400), using: &random) == .seconds(300))
        #expect(backoff.upperBound(.refusal) <= .seconds(32))
    }
}
