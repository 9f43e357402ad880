import Testing

@testable import Connector

struct BackoffTests {
    @Test(arguments: UInt64(0)..<50)
    func `every wait lies between the floor and a bound that doubles up to the cap`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var backoff = Backoff()
        for bound in [2, 4, 8, 16, 32, 32, 32] {
            #expect(backoff.upperBound == .seconds(bound))
            let wait = backoff.attemptFailed(using: &random)
            #expect(wait >= .milliseconds(250))
            #expect(wait <= .seconds(bound))
        }
    }

    @Test func `a success starts from the beginning`() {
        var random = SeededGenerator(seed: 1)
        var backoff = Backoff()
        _ = backoff.attemptFailed(using: &random)
        _ = backoff.attemptFailed(using: &random)
        #expect(backoff.attempts == 2)
        backoff.connectionSucceeded()
        #expect(backoff.attempts == 0)
        #expect(backoff.upperBound == .seconds(2))
    }

    @Test func `the edge's own wish is a lower bound, up to the cap`() {
        var random = SeededGenerator(seed: 1)
        var backoff = Backoff()
        #expect(backoff.attemptFailed(hint: .seconds(20), using: &random) == .seconds(20))
        #expect(backoff.attemptFailed(hint: .seconds(86_400), using: &random) == .seconds(32))
    }
}
