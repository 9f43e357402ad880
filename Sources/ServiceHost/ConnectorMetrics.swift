import Foundation
import Glibc

/// The metrics of a connector under their official names, so that existing dashboards and alerts keep working.
/// Source: cli-and-config.md section 6.3.
package struct ConnectorMetrics: Sendable {
    /// Connections to the edge that are being served.
    package let haConnections: Gauge
    package let totalRequests: Counter
    package let requestErrors: Counter
    package let concurrentRequests: Gauge
    /// Label: status code of the origin's answer.
    package let responsesByCode: LabelledMetrics<Counter>
    /// Labels: connection index, location of the edge; 1 current, 0 previous.
    package let serverLocations: LabelledMetrics<Gauge>
    /// Label: RPC name.
    package let registerSuccess: LabelledMetrics<Counter>
    /// Labels: error (`dup_edge_conn` or `server_error`), RPC name.
    package let registerFail: LabelledMetrics<Counter>
    /// Labels: error, RPC name.
    package let rpcFail: LabelledMetrics<Counter>
    /// Label: hostname that an edge reports for this tunnel.
    package let userHostnames: LabelledMetrics<Counter>
    /// Labels: tunnel, connection index.
    package let tunnelIDs: LabelledMetrics<Gauge>
    package let tcpActiveSessions: Gauge
    package let tcpTotalSessions: Counter
    /// Milliseconds from the decision to dial an origin until the connection stands.
    package let connectLatency: Histogram
    package let connectErrors: Counter
    package let configPushes: Counter
    package let configPushErrors: Counter
    /// Applied version of the remote configuration.
    package let configVersion: Gauge

    /// Declares all of them, `build_info` and `process_*` included.
    package init(registry: MetricsRegistry, build: BuildInfo = .current) {
        registry.gauges(
            "build_info", "Build and version information", labels: "goversion", "revision", "type", "version")[
                build.compiler, "", build.kind, build.version
            ].set(1)
        func name(_ suffix: String) -> String { "cloudflared_" + suffix }
        configPushes = registry.counter(
            name("config_local_config_pushes"), "Number of local configuration pushes to the edge")
        configPushErrors = registry.counter(
            name("config_local_config_pushes_errors"), "Number of errors of local configuration pushes")
        configVersion = registry.gauge(name("orchestration_config_version"), "Configuration version")
        totalRequests = registry.counter(
            name("tunnel_total_requests"), "Amount of requests proxied through all the tunnels")
        requestErrors = registry.counter(name("tunnel_request_errors"), "Count of error proxying to origin")
        concurrentRequests = registry.gauge(
            name("tunnel_concurrent_requests_per_tunnel"), "Concurrent requests proxied through each tunnel")
        responsesByCode = registry.counters(
            name("tunnel_response_by_code"), "Count of responses by HTTP status code", labels: "status_code")
        haConnections = registry.gauge(name("tunnel_ha_connections"), "Number of active ha connections")
        serverLocations = registry.gauges(
            name("tunnel_server_locations"),
            "Where each tunnel is connected to. 1 means current location, 0 means previous",
            labels: "connection_id", "edge_location")
        registerSuccess = registry.counters(
            name("tunnel_tunnel_register_success"), "Count of successful tunnel registrations", labels: "rpcName")
        registerFail = registry.counters(
            name("tunnel_tunnel_register_fail"), "Count of tunnel registration errors by type", labels: "error",
            "rpcName")
        rpcFail = registry.counters(
            name("tunnel_tunnel_rpc_fail"), "Count of RPC connection errors by type", labels: "error", "rpcName")
        userHostnames = registry.counters(
            name("tunnel_user_hostnames_counts"), "Which user hostnames cloudflared is serving", labels: "userHostname")
        tunnelIDs = registry.gauges("tunnel_ids", "Tunnel IDs", labels: "tunnel_id", "ha_conn_id")
        tcpActiveSessions = registry.gauge(name("tcp_active_sessions"), "Concurrent count of TCP sessions")
        tcpTotalSessions = registry.counter(name("tcp_total_sessions"), "Total count of TCP sessions")
        connectLatency = registry.histogram(
            name("proxy_connect_latency"), "Time it takes to establish and acknowledge connections in milliseconds",
            bounds: [1, 10, 25, 50, 100, 500, 1000, 5000])
        connectErrors = registry.counter(
            name("proxy_connect_streams_errors"), "Total count of failure to establish and acknowledge connections")
        Self.addProcessMetrics(to: registry)
    }

    /// Notes where a connection leads now; where it led before reads 0.
    package func moved(connection index: UInt8, to location: String) {
        for previous in serverLocations.all(startingWith: "\(index)") { previous.set(0) }
        serverLocations["\(index)", location].set(1)
    }

    private static func addProcessMetrics(to registry: MetricsRegistry) {
        let start = Double(LogTime.now())
        registry.measured("process_start_time_seconds", "Start time of the process since unix epoch in seconds") {
            start
        }
        registry.measured("process_open_fds", "Number of open file descriptors") {
            (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")).map { Double($0.count) }
        }
        registry.measured("process_max_fds", "Maximum number of open file descriptors") {
            var limit = rlimit()
            return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? Double(limit.rlim_cur) : nil
        }
        registry.measured("process_virtual_memory_bytes", "Virtual memory size in bytes") { memoryPages(0) }
        registry.measured(
            "process_cpu_seconds_total", "Total user and system CPU time spent in seconds", isCounter: true
        ) {
            var usage = rusage()
            guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return nil }
            func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
            return seconds(usage.ru_utime) + seconds(usage.ru_stime)
        }
        registry.measured("process_resident_memory_bytes", "Resident memory size in bytes") {
            memoryPages(1)
        }
    }

    /// A field of the process's memory statistics, in bytes.
    private static func memoryPages(_ field: Int) -> Double? {
        let fields = (try? SmallFile.read("/proc/self/statm", limit: 4096).text)?.split(separator: " ") ?? []
        guard fields.count > field, let pages = Double(fields[field]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }
}
