package import AccessPolicy
package import Logging
import Synchronization

/// Keeps the current Access policy at hand, so that deciding about a request never waits.
///
/// Lives as long as the edge. `run()` looks at the source once an interval and loads when its version changed. While the
/// source fails the last policy is served until `maximumAge`, then everything is closed, and after `grace` what is open
/// ends. That age is checked whenever the policy is read, so a source that hangs, or a `run()` that ended, closes the doors
/// as well.
package actor PolicyCache {
    private enum Turn {
        /// Nobody refreshes now: do it, for yourself and for those who wait with you.
        case lead
        case over(Result<Void, any Error>)
    }

    private typealias Waiter = CheckedContinuation<Turn, Never>

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

    private var isRefreshing = false
    private var lastLook: Duration?
    /// They share the refresh that runs now.
    private var followers: [Waiter] = []
    /// They came while it ran, and it may have missed what they changed: they share the next one.
    private var latecomers: [Waiter] = []

    /// - Parameters:
    ///   - grace: how much longer than `maximumAge` those may stay who were let in.
    ///   - leastPause: between the beginnings of two looks, however many strangers knock.
    ///   - jitter: what part of the interval the next pause is, so that edges do not ask one store in step.
    package init(
        source: any PolicySource, clock: any Clock<Duration> = ContinuousClock(),
        interval: Duration = .milliseconds(250), maximumAge: Duration = .seconds(30),
        grace: Duration = .seconds(300), leastPause: Duration = .milliseconds(20),
        jitter: @escaping @Sendable () -> Double = { .random(in: 0.8...1) }, logger: Logger
    ) {
        self.source = source
        self.jitter = jitter
        self.clock = clock
        self.interval = interval
        self.leastPause = leastPause
        self.logger = logger
        elapsed = Self.stopwatch(clock)
        served = Mutex(Served(schedule: RefreshSchedule(interval: interval, maximumAge: maximumAge, grace: grace)))
    }

    /// The policy to decide by, now. Never waits; callable from an event loop.
    package nonisolated var snapshot: AccessSnapshot {
        let now = elapsed()
        return served.withLock { served in
            if served.schedule.isFresh(at: now) { return served.snapshot }
            return served.schedule.isLost(at: now) ? .lost : .unavailable
        }
    }

    /// Has `hook` called after each change of the policy, and when it is lost. It must not wait.
    package nonisolated func onChange(_ hook: @escaping @Sendable () -> Void) {
        hooks.withLock { $0.append(hook) }
    }

    /// Keeps the policy current until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            // Somebody else's refresh is as good as ours.
            if !isRefreshing { _ = await lead() }
            do { try await clock.sleep(for: interval * jitter(), tolerance: nil) } catch { return }
        }
    }

    /// Returns when a look at the source that began after this call has ended, and throws what made it fail. Callers at the
    /// same time share one look; there is never more than one.
    package func refreshNow() async throws {
        guard isRefreshing else { return try await lead().get() }
        switch await withCheckedContinuation({ latecomers.append($0) }) {
        case .lead: try await lead().get()
        case .over(let result): try result.get()
        }
    }

    /// How many wait for the look after the one that runs.
    var waiting: Int { latecomers.count }

    private func lead() async -> Result<Void, any Error> {
        isRefreshing = true
        let result: Result<Void, any Error>
        do {
            if let lastLook {
                let pause = lastLook + leastPause - elapsed()
                if pause > .zero { try await clock.sleep(for: pause, tolerance: nil) }
            }
            lastLook = elapsed()
            try await look()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        handOver(result)
        return result
    }

    private func handOver(_ result: Result<Void, any Error>) {
        let finished = followers
        followers = []
        if case .failure(let error) = result, error is CancellationError {
            // Only the leader was cancelled; the others still want their answer.
            latecomers = finished + latecomers
        } else {
            for waiter in finished { waiter.resume(returning: .over(result)) }
        }
        guard !latecomers.isEmpty else {
            isRefreshing = false
            return
        }
        let next = latecomers.removeFirst()
        followers = latecomers
        latecomers = []
        // Still refreshing: the turn is handed on, not given up.
        next.resume(returning: .lead)
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
            if loaded != nil { tell() }
        } catch {
            if Task.isCancelled { throw CancellationError() }
            let now = elapsed()
            let report = served.withLock { $0.schedule.failed(at: now) }
            log(report, error)
            if report == .reportLost { tell() }
            throw error
        }
    }

    private func tell() {
        for hook in hooks.withLock(\.self) { hook() }
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
            logger.error("Access policy cannot be read, what is open ends", metadata: metadata)
        case .reportRecovered:
            logger.info("Access policy can be read again")
        }
    }

    private static func stopwatch<C: Clock<Duration>>(_ clock: C) -> @Sendable () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }
}
