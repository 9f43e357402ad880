/// How long to wait between attempts: decorrelated jitter between a floor and a bound, so that a refused address never
/// spins and connectors that lost the same edge do not come back in step.
///
/// Each wait is drawn anew between the floor and three times the one before it. Only a connection that lasted ends the
/// growth: one that comes and goes waits longer and longer.
package struct Backoff: Sendable, Equatable {
    /// The bounds of the waits after one kind of trouble.
    package struct Pace: Sendable, Equatable {
        /// The least wait, always in force.
        package var floor: Duration
        /// The most the first wait can be.
        package var start: Duration
        /// The most any wait can be; nil for what the whole backoff allows.
        package var cap: Duration?

        /// Nobody answers, or the link broke. The edge does not suffer from being asked, and whoever waits for a path to
        /// come back must not wait long: with the time of one dial, the cap stays under ten seconds.
        package static let path = Pace(floor: .milliseconds(100), start: .milliseconds(600), cap: .seconds(5))
        /// Links come about and do not last.
        package static let flapping = Pace(floor: .seconds(1), start: .seconds(3), cap: .seconds(8))
        /// The edge answers, and says no.
        package static let refusal = Pace(floor: .seconds(1), start: .seconds(2), cap: nil)
    }

    /// The longest wish of an edge that is honoured: a wrong number there must not silence a connector for a day.
    package static let longestHint = Duration.seconds(300)

    /// The most a wait can be whatever the trouble, hints and floors aside.
    package var cap: Duration
    private var last: Duration?

    package init(cap: Duration = .seconds(32)) {
        self.cap = cap
    }

    /// The wait before the next attempt.
    ///
    /// - Parameter hint: the edge's own wish (`retryAfter`), which counts when it is the longer one.
    package mutating func wait(
        _ pace: Pace, hint: Duration? = nil, using random: inout some RandomNumberGenerator
    ) -> Duration {
        let bound = upperBound(pace)
        let share = Double.random(in: 0...1, using: &random)
        let jittered = min(bound, pace.floor + (bound - pace.floor) * share)
        last = jittered
        return max(jittered, min(hint ?? .zero, Self.longestHint))
    }

    /// The most the next wait can be, hint aside.
    package func upperBound(_ pace: Pace) -> Duration {
        max(pace.floor, min(cap, pace.cap ?? cap, max(pace.start, (last ?? .zero) * 3)))
    }

    /// A connection lasted: the next trouble starts from the beginning.
    package mutating func connectionLasted() {
        last = nil
    }
}
