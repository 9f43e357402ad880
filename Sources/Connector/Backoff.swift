/// How long to wait between attempts: exponential with full jitter above a floor, so that a refused address never spins
/// and connectors that lost the same edge do not come back in step.
package struct Backoff: Sendable, Equatable {
    /// The least wait, always in force.
    package var floor: Duration
    /// Upper bound of the first wait; doubles with each attempt.
    package var base: Duration
    /// The bound stops doubling here.
    package var cap: Duration

    /// Attempts since the last success.
    package private(set) var attempts = 0

    package init(floor: Duration = .milliseconds(250), base: Duration = .seconds(2), cap: Duration = .seconds(32)) {
        self.floor = floor
        self.base = base
        self.cap = cap
    }

    /// The wait before the next attempt. `hint` is the edge's own wish (`retryAfter`), honoured up to the cap.
    package mutating func attemptFailed(
        hint: Duration? = nil, using random: inout some RandomNumberGenerator
    ) -> Duration {
        let bound = upperBound
        attempts += 1
        let share = Double.random(in: 0...1, using: &random)
        let jittered = floor + (bound - floor) * share
        guard let hint else { return jittered }
        return max(jittered, min(hint, cap))
    }

    /// The most the next wait can be.
    package var upperBound: Duration {
        var bound = base
        for _ in 0..<min(attempts, 16) where bound < cap { bound = bound * 2 }
        return max(floor, min(bound, cap))
    }

    /// A connection registered: the next trouble starts from the beginning.
    package mutating func connectionSucceeded() {
        attempts = 0
    }
}
