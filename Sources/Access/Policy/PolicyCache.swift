package import AccessPolicy
package import Logging
import Synchronization

/// Keeps the current Access policy at hand, so that deciding about a request never waits.
///
/// Lives as long as the edge. `run()` looks at the source once an interval and loads when its version changed. While the
/// source fails the last policy is served until `maximumAge`, then everything is closed. That age is checked whenever the
/// policy is read, so a source that hangs, or a `run()` that ended, closes the doors as well. What is open outlives that by
/// a grace, so that a short trouble of the source cuts nobody's session, and ends then (`isLost`).
package actor PolicyCache {
    private struct Served: Sendable {
        var snapshot = AccessSnapshot.unavailable
        var schedule: RefreshSchedule
    }

    private let source: any PolicySource
    private let clock: any Clock<Duration>
    private let elapsed: @Sendable () -> Duration
    private let interval: Duration
    private let leastPause: Duration
    private let logger: Logger
    private let served: Mutex<Served>
    private let hooks = Mutex<[@Sendable () -> Void]>([])
    private let jitter: @Sendable () -> Double

    private enum Phase {
        case idle
        /// Somebody leads, and the look has not begun: whoever comes now shares it.
        case pausing
        case looking
    }

    private var phase = Phase.idle
    private var lastLook: Duration?
    /// They share the refresh that runs now.
    private var followers: [PolicyWaiter] = []
    /// They came while it ran, and it may have missed what they changed: they share the next one.
    private var latecomers: [PolicyWaiter] = []

    /// - Parameters:
    ///   - grace: how long beyond `maximumAge` open streams stay.
    ///   - leastPause: between the begins of two looks, however many ask for one.
    ///   - jitter: what part of the interval the next pause is, so that edges do not ask one store in step.
    package init(
        source: any PolicySource, clock: any Clock<Duration> = ContinuousClock(),
        interval: Duration = .milliseconds(250), maximumAge: Duration = .seconds(30), grace: Duration = .zero,
        leastPause: Duration = .milliseconds(20), jitter: @escaping @Sendable () -> Double = { .random(in: 0.8...1) },
        logger: Logger
    ) {
        self.source = source
        self.jitter = jitter
        self.clock = clock
        self.interval = interval
        self.leastPause = leastPause
        self.logger = logger
        elapsed = Self.stopwatch(clock)
        let schedule = RefreshSchedule(interval: interval, maximumAge: maximumAge, grace: grace)
        served = Mutex(Served(schedule: schedule))
    }

    /// The policy to decide by, now. Never waits; callable from an event loop.
    package nonisolated var snapshot: AccessSnapshot {
        let now = elapsed()
        return served.withLock { $0.schedule.isFresh(at: now) ? $0.snapshot : .unavailable }
    }

    /// Whether there has been no policy for so long that what it admitted has to end. Never waits.
    package nonisolated var isLost: Bool {
        let now = elapsed()
        return served.withLock { $0.schedule.isLost(at: now) }
    }

    /// Has `hook` called after each change of the policy, from then on. It must not wait.
    package nonisolated func onChange(_ hook: @escaping @Sendable () -> Void) {
        hooks.withLock { $0.append(hook) }
    }

    /// Keeps the policy current until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            // Somebody else's refresh is as good as ours.
            if phase == .idle { _ = await lead() }
            do { try await clock.sleep(for: interval * jitter(), tolerance: nil) } catch { return }
        }
    }

    /// Returns when a look at the source that began after this call has ended, and throws what made it fail, or when the
    /// task is cancelled. Callers at the same time share one look; there is never more than one, and never two within
    /// `leastPause`.
    package func refreshNow() async throws {
        let waiter = PolicyWaiter()
        switch phase {
        case .idle: return try await lead().get()
        case .pausing: followers.append(waiter)
        case .looking: latecomers.append(waiter)
        }
        switch await waiter.turn() {
        case .lead: try await lead().get()
        case .over(let result): try result.get()
        }
    }

    /// How many wait for the look after the one that runs.
    var waiting: Int { latecomers.count }
    /// How many wait for the one that runs, beside whoever leads it.
    var sharing: Int { followers.count }

    private func lead() async -> Result<Void, any Error> {
        let result: Result<Void, any Error>
        do {
            phase = .pausing
            try await pause()
            phase = .looking
            try await look()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        handOver(result)
        return result
    }

    private func pause() async throws {
        let left = lastLook.map { $0 + leastPause - elapsed() } ?? .zero
        if left > .zero { try await clock.sleep(for: left, tolerance: nil) }
        lastLook = elapsed()
    }

    private func handOver(_ result: Result<Void, any Error>) {
        let finished = followers
        followers = []
        if case .failure(let error) = result, error is CancellationError {
            // Only the leader was cancelled; the others still want their answer.
            latecomers = finished + latecomers
        } else {
            for waiter in finished { waiter.settle(.over(result)) }
        }
        phase = .idle
        while !latecomers.isEmpty {
            let next = latecomers.removeFirst()
            // Who was cancelled meanwhile takes no turn.
            guard next.settle(.lead) else { continue }
            followers = latecomers
            latecomers = []
            // Still refreshing: the turn is handed on, not given up.
            phase = .pausing
            return
        }
    }

    private func look() async throws {
        let start = elapsed()
        do {
            let version = try await source.version()
            var loaded: AccessSnapshot?
            if served.withLock({ $0.schedule.versionRead(version) }) == .load { loaded = try await source.load() }
            let report = served.withLock { served in
                if let loaded { served.snapshot = loaded }
                return served.schedule.confirmed(version: version, startedAt: start)
            }
            log(report)
            if loaded != nil { for hook in hooks.withLock(\.self) { hook() } }
        } catch {
            if Task.isCancelled { throw CancellationError() }
            let now = elapsed()
            log(served.withLock { $0.schedule.failed(at: now) }, error)
            throw error
        }
    }

    private func log(_ report: RefreshSchedule.ReportAction, _ error: (any Error)? = nil) {
        let metadata: Logger.Metadata = error.map { ["error": "\($0)"] } ?? [:]
        switch report {
        case .none: return
        case .reportFailing:
            logger.warning("Access policy cannot be read, serving the last one", metadata: metadata)
        case .reportClosed:
            logger.error("Access policy cannot be read, every hostname is closed", metadata: metadata)
        case .reportLost:
            logger.error(
                "Access policy cannot be read for too long, open streams end as well", metadata: metadata)
        case .reportRecovered:
            logger.info("Access policy can be read again")
        }
    }

    private static func stopwatch<C: Clock<Duration>>(_ clock: C) -> @Sendable () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }
}
