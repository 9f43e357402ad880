internal import CSystemd

/// Tells systemd how the service is. Does nothing, and costs nothing, when no `NOTIFY_SOCKET` is set.
package struct SystemdNotifier: Sendable {
    package init() {}

    /// The service does its work: systemd may start what depends on it.
    package func ready(status: String? = nil) {
        send(["READY=1"], status: status)
    }

    /// One line shown by `systemctl status`.
    package func status(_ text: String) {
        send([], status: text)
    }

    /// The service is draining.
    package func stopping() {
        send(["STOPPING=1"], status: nil)
    }

    /// The service answered its own watchdog in time.
    package func watchdog() {
        send(["WATCHDOG=1"], status: nil)
    }

    private func send(_ assignments: [String], status: String?) {
        var lines = assignments
        // A newline would start another assignment.
        if let status { lines.append("STATUS=" + status.map { $0.isNewline ? " " : String($0) }.joined()) }
        _ = sd_notify(0, lines.joined(separator: "\n"))
    }
}
