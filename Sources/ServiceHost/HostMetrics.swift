/// Metrics of the daemon that the official client does not have: reloads, the watchdog, reconnects.
package struct HostMetrics: Sendable {
    /// Label: connection index.
    package let reconnects: LabelledMetrics<Counter>
    /// Milliseconds that the parts of the process took to answer the watchdog's last probe.
    package let watchdogLag: Gauge
    package let canarySuccessful: Gauge
    package let canaryFailures: Counter
    private let reloads: Counter
    private let reloadErrors: Counter
    private let lastReloadSuccessful: Gauge
    private let lastReloadTime: Gauge

    /// Declares all of them. The configuration of the start counts as a successful reload.
    package init(registry: MetricsRegistry) {
        func name(_ suffix: String) -> String { "cloudflared_" + suffix }
        reloads = registry.counter(
            name("config_reloads_total"), "Configurations put in force while running")
        reloadErrors = registry.counter(
            name("config_reload_errors_total"), "Configurations that were read while running and could not be used")
        lastReloadSuccessful = registry.gauge(
            name("config_last_reload_successful"), "Whether the configuration as it is now is in force")
        lastReloadTime = registry.gauge(
            name("config_last_reload_success_timestamp_seconds"), "When the configuration in force was read")
        watchdogLag = registry.gauge(
            name("watchdog_lag_milliseconds"), "Time that actors and event loops took to answer the last probe")
        reconnects = registry.counters(
            name("tunnel_reconnects_total"), "Failed attempts and lost connections to the edge, by connection",
            labels: "connection_id")
        registry.measured(
            name("log_dropped_lines_total"), "Log lines that nobody took in time", isCounter: true
        ) { Double(DroppedLines.count.value) }
        canarySuccessful = registry.gauge(
            name("ready_canary_successful"), "Whether the last canary came back; 0 also when none is sent")
        canaryFailures = registry.counter(name("ready_canary_failures_total"), "Canaries that did not come back")
        reloadSucceeded(at: LogTime.now(), counting: false)
    }

    package func reloadSucceeded(at secondsSinceEpoch: Int) {
        reloadSucceeded(at: secondsSinceEpoch, counting: true)
    }

    package func reloadFailed() {
        reloadErrors.increment()
        lastReloadSuccessful.set(0)
    }

    private func reloadSucceeded(at secondsSinceEpoch: Int, counting: Bool) {
        if counting { reloads.increment() }
        lastReloadSuccessful.set(1)
        lastReloadTime.set(secondsSinceEpoch)
    }
}
