package import Logging

/// Asks now and then everything that must run whether it runs: a part that hangs makes this hang, and systemd act.
///
/// Lives for one ``run(probe:answered:)``.
package struct Watchdog: Sendable {
    /// How often the parts are asked when systemd does not say.
    private static let usualInterval: Duration = .seconds(15)

    private let interval: Duration
    private let clock: any Clock<Duration>
    private let logger: Logger

    /// Asks at half the time that systemd gives the process.
    package init(
        interval: Duration? = SystemdNotifier.watchdogTimeout.map { $0 / 2 }, clock: any Clock<Duration>,
        logger: Logger
    ) {
        self.interval = interval ?? Self.usualInterval
        self.clock = clock
        self.logger = logger
    }

    /// Asks until cancelled.
    ///
    /// - Parameters:
    ///   - probe: returns when every part has answered.
    ///   - answered: how long that took, and whether it was soon enough to be a sign of life.
    package func run(
        probe: () async -> Void, answered: (_ lag: Duration, _ isInTime: Bool) async -> Void
    ) async {
        while (try? await clock.sleep(for: interval)) != nil {
            let lag: Duration = await clock.measure { await probe() }
            if lag >= interval {
                logger.warning("The watchdog's probe was answered too late", metadata: ["lag": "\(lag)"])
            }
            await answered(lag, lag < interval)
        }
    }
}
