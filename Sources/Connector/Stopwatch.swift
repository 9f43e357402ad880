import Synchronization

/// Time since something began, by a clock that came in from outside. Lives for one attempt at a connection.
final class Stopwatch: Sendable {
    private let elapsedSinceStart = Mutex<(@Sendable () -> Duration)?>(nil)
    private let clock: any Clock<Duration>

    init(_ clock: any Clock<Duration>) {
        self.clock = clock
    }

    /// Begins to count. Only the first call does.
    func start() {
        let elapsed = clock.elapsedFromNow()
        elapsedSinceStart.withLock { if $0 == nil { $0 = elapsed } }
    }

    /// Nil before the start.
    var elapsed: Duration? {
        elapsedSinceStart.withLock { $0 }?()
    }
}

extension Clock<Duration> {
    fileprivate func elapsedFromNow() -> @Sendable () -> Duration {
        let start = now
        return { start.duration(to: self.now) }
    }
}
