/// When a policy is loaded, how long it may be served, and what is worth telling: the pure part of `PolicyCache`.
///
/// Time is the elapsed time of whatever clock the caller keeps.
package struct RefreshSchedule: Sendable, Hashable {
    package enum VersionAction: Sendable, Hashable {
        /// What is served is current.
        case keep
        case load
    }

    package enum ReportAction: Sendable, Hashable {
        case none
        /// The source began to fail; the last policy is still served.
        case reportFailing
        /// The last policy is too old; everything is closed.
        case reportClosed
        /// It has been too old for so long that what is open ends as well.
        case reportLost
        /// The source works again.
        case reportRecovered
    }

    private enum Health: Sendable, Hashable { case good, failing, closed, lost }

    /// Pause between two looks at the source.
    package let interval: Duration
    /// How long a policy is served without the source confirming it.
    package let maximumAge: Duration
    /// How long beyond that streams stay open that it once admitted.
    package let grace: Duration

    private var version: Int?
    private var confirmedAt: Duration?
    private var health = Health.good

    package init(interval: Duration, maximumAge: Duration, grace: Duration) {
        self.interval = interval
        self.maximumAge = maximumAge
        self.grace = grace
    }

    /// The source told its version.
    package func versionRead(_ version: Int) -> VersionAction {
        version == self.version ? .keep : .load
    }

    /// A look that began at `start` ended well with `version` being served. Age counts from the start: what happened during
    /// the look may have been missed.
    package mutating func confirmed(version: Int, startedAt start: Duration) -> ReportAction {
        self.version = version
        confirmedAt = max(confirmedAt ?? start, start)
        defer { health = .good }
        return health == .good ? .none : .reportRecovered
    }

    /// A look failed.
    package mutating func failed(at now: Duration) -> ReportAction {
        let next: Health = isFresh(at: now) ? .failing : isLost(at: now) ? .lost : .closed
        defer { health = next }
        guard next != health else { return .none }
        return switch next {
        case .good: .none
        case .failing: .reportFailing
        case .closed: .reportClosed
        case .lost: .reportLost
        }
    }

    /// Whether the policy may still be served.
    package func isFresh(at now: Duration) -> Bool {
        confirmedAt.map { now - $0 <= maximumAge } ?? false
    }

    /// Whether what was admitted by the policy has to end as well. Before the first look nothing was admitted.
    package func isLost(at now: Duration) -> Bool {
        confirmedAt.map { now - $0 > maximumAge + grace } ?? false
    }
}
