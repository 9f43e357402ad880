import CDispatch
internal import CSystemd
import Glibc

/// Tells systemd how the service is. Does nothing, and costs nothing, when no `NOTIFY_SOCKET` is set.
package struct SystemdNotifier: Sendable {
    private let send: @Sendable (String) -> Void

    package init() {
        send = { _ = sd_notify(0, $0) }
    }

    /// The time within which systemd wants to hear ``watchdog()`` from this process; nil when it does not.
    package static var watchdogTimeout: Duration? {
        var microseconds: UInt64 = 0
        guard sd_watchdog_enabled(0, &microseconds) > 0, microseconds > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }

    /// The service does its work, or does it again after a reload: systemd may start what depends on it.
    package func ready(status: String? = nil) {
        send(["READY=1"], status: status)
    }

    /// One line shown by `systemctl status`.
    package func status(_ text: String) {
        send([], status: text)
    }

    /// The service reads its configuration again; ``ready(status:)`` ends that.
    package func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = UInt64(clamping: now.tv_sec) * 1_000_000 + UInt64(clamping: now.tv_nsec / 1000)
        send(["RELOADING=1", "MONOTONIC_USEC=\(microseconds)"], status: nil)
    }

    /// The service is draining.
    ///
    /// - Parameter limit: how long that may take at most.
    package func stopping(within limit: Duration? = nil) {
        send(["STOPPING=1"] + (limit.map { [Self.extension(by: $0)] } ?? []), status: nil)
    }

    /// The service is not there yet, and alive: the time limit for what it does is so far away again.
    package func extendTimeout(by duration: Duration) {
        send([Self.extension(by: duration)], status: nil)
    }

    /// The service answered its own watchdog in time.
    package func watchdog() {
        send(["WATCHDOG=1"], status: nil)
    }

    private static func `extension`(by duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return "EXTEND_TIMEOUT_USEC=\(overflow ? .max : max(0, whole &+ attoseconds / 1_000_000_000_000))"
    }

    private func send(_ assignments: [String], status: String?) {
        var lines = assignments
        // A newline would start another assignment; systemd shows one short line.
        if let status {
            let line = String(status.prefix(500).map { $0.isNewline ? " " : $0 })
            lines.append("STATUS=" + LogFormat.singleLine(line))
        }
        send(lines.joined(separator: "\n"))
    }
}
