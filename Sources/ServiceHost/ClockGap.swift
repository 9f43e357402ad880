import Glibc

/// The host's clocks at one moment.
struct ClockReading: Sendable, Equatable {
    /// Stands still while the host sleeps.
    var monotonic: Duration
    /// Goes on while the host sleeps.
    var boot: Duration
    /// Goes on whatever happens, and is set now and then.
    var wall: Duration

    static var now: ClockReading {
        ClockReading(monotonic: read(CLOCK_MONOTONIC), boot: read(CLOCK_BOOTTIME), wall: read(CLOCK_REALTIME))
    }

    private static func read(_ clock: clockid_t) -> Duration {
        var time = timespec()
        clock_gettime(clock, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

/// Tells from two readings whether host or process stood still in between: asleep, frozen, or a virtual machine put
/// aside. A wall clock that was set looks the same; whoever asks only checks what should work anyway.
struct ClockGap: Sendable {
    /// More than timers are ever late.
    static let tolerance = Duration.seconds(2)

    private let expected: Duration
    private var last: ClockReading

    /// - Parameter expected: the time between two looks.
    init(expected: Duration, start: ClockReading) {
        self.expected = expected
        last = start
    }

    /// - Returns: how long things stood still, if they did.
    mutating func looked(_ now: ClockReading) -> Duration? {
        defer { last = now }
        let passed = max(now.monotonic - last.monotonic, now.boot - last.boot, now.wall - last.wall)
        let gap = passed - expected
        return gap > Self.tolerance ? gap : nil
    }
}
