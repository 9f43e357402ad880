import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TestKit
import Testing

@testable import ServiceHost

struct MetricsTextTests {
    @Test func `each kind has the Prometheus text form`() {
        let registry = MetricsRegistry()
        let requests = registry.counter("requests_total", "Requests")
        let streams = registry.gauge("streams", "Streams")
        let latency = registry.histogram("latency", "Latency in milliseconds", bounds: [1, 2.5])
        let codes = registry.counters("codes", "Codes", labels: "code", "rule")
        _ = registry.gauges("unused", "Appears after first use", labels: "x")
        registry.measured("ratio", "Ratio") { 0.5 }
        requests.increment(by: 3)
        streams.increment()
        streams.increment()
        streams.decrement()
        for value in [0.5, 2, 2.5, 9] { latency.observe(value) }
        codes["502", "a\"b\\\n"].increment()
        codes["200", "0"].increment(by: 2)
        #expect(
            registry.text == """
                # HELP requests_total Requests
                # TYPE requests_total counter
                requests_total 3
                # HELP streams Streams
                # TYPE streams gauge
                streams 1
                # HELP latency Latency in milliseconds
                # TYPE latency histogram
                latency_bucket{le="1"} 1
                latency_bucket{le="2.5"} 3
                latency_bucket{le="+Inf"} 4
                latency_sum 14
                latency_count 4
                # HELP codes Codes
                # TYPE codes counter
                codes{code="200",rule="0"} 2
                codes{code="502",rule="a\\"b\\\\\\n"} 1
                # HELP ratio Ratio
                # TYPE ratio gauge
                ratio 0.5

                """)
    }

    @Test func `labels from outside do not grow without bound`() {
        let registry = MetricsRegistry()
        let hosts = registry.counters("hosts", "Hosts", labels: "host")
        for number in 0..<10_000 { hosts["host\(number)"].increment() }
        let lines = registry.text.split(separator: "\n")
        #expect(lines.count < 300)
        #expect(lines.contains { $0.hasPrefix(#"hosts{host="other"} "#) })
    }

    @Test func `the connector has the official names`() {
        let registry = MetricsRegistry()
        let metrics = ConnectorMetrics(registry: registry)
        metrics.registerSuccess["registerConnection"].increment()
        metrics.serverLocations["0", "lhr01"].set(1)
        metrics.responsesByCode["200"].increment()
        let text = registry.text
        for line in [
            "cloudflared_tunnel_ha_connections 0", "cloudflared_tunnel_total_requests 0",
            "cloudflared_tunnel_request_errors 0",
            "cloudflared_tunnel_concurrent_requests_per_tunnel 0", "cloudflared_tcp_active_sessions 0",
            "cloudflared_tcp_total_sessions 0", "cloudflared_proxy_connect_latency_count 0",
            "cloudflared_tunnel_tunnel_register_success{rpcName=\"registerConnection\"} 1",
            "cloudflared_tunnel_server_locations{connection_id=\"0\",edge_location=\"lhr01\"} 1",
            "cloudflared_tunnel_response_by_code{status_code=\"200\"} 1",
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
        #expect(text.contains("build_info{goversion=\"swift"))
        #expect(text.contains("process_resident_memory_bytes "))
    }
}

struct HostMetricsTests {
    @Test func `a location that a connection left reads 0`() {
        let registry = MetricsRegistry()
        let metrics = ConnectorMetrics(registry: registry)
        metrics.moved(connection: 0, to: "lhr01")
        metrics.moved(connection: 1, to: "lhr01")
        metrics.moved(connection: 0, to: "ams02")
        let text = registry.text
        #expect(text.contains(#"server_locations{connection_id="0",edge_location="lhr01"} 0"#))
        #expect(text.contains(#"server_locations{connection_id="0",edge_location="ams02"} 1"#))
        #expect(text.contains(#"server_locations{connection_id="1",edge_location="lhr01"} 1"#))
        #expect(text.contains("process_open_fds "))
        #expect(text.contains("process_max_fds "))
    }

    @Test func `reloads are counted by how they went`() {
        let registry = MetricsRegistry()
        let metrics = HostMetrics(registry: registry)
        #expect(registry.text.contains("cloudflared_config_last_reload_successful 1\n"))
        #expect(registry.text.contains("cloudflared_config_reloads_total 0\n"))
        metrics.reloadFailed()
        #expect(registry.text.contains("cloudflared_config_last_reload_successful 0\n"))
        #expect(registry.text.contains("cloudflared_config_reload_errors_total 1\n"))
        metrics.reloadSucceeded(at: 1234)
        #expect(registry.text.contains("cloudflared_config_last_reload_successful 1\n"))
        #expect(registry.text.contains("cloudflared_config_last_reload_success_timestamp_seconds 1234\n"))
        #expect(registry.text.contains("cloudflared_config_reloads_total 1\n"))
    }
}

struct MetricsAddressTests {
    @Test(arguments: [
        ("", MetricsAddress.automatic(host: "127.0.0.1")), ("localhost:0", .automatic(host: "127.0.0.1")),
        ("0.0.0.0:0", .automatic(host: "0.0.0.0")), ("off", .off), ("127.0.0.1:0", .fixed(host: "127.0.0.1", port: 0)),
        ("localhost:8081", .fixed(host: "127.0.0.1", port: 8081)), ("[::1]:1", .fixed(host: "::1", port: 1)),
        ("unix:/run/m.sock", .unix(path: "/run/m.sock")),
    ])
    func `forms of --metrics`(text: String, expected: MetricsAddress) throws {
        #expect(try MetricsAddress(parsing: text) == expected)
    }

    @Test(arguments: ["x", "localhost", "localhost:", "a:70000", "a:-1", "unix:", "localhost:1x"])
    func `malformed addresses are refused`(text: String) {
        #expect(throws: HostError.self) { try MetricsAddress(parsing: text) }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct MetricsEndpointTests {
    /// Runs an endpoint, gives its port to `body`, then cancels it and waits for its end.
    func withEndpoint(
        _ address: MetricsAddress, ready: Int, isAlive: Bool = true,
        _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let registry = MetricsRegistry()
        let metrics = ConnectorMetrics(registry: registry)
        metrics.totalRequests.increment(by: 7)
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let endpoint = MetricsEndpoint(
            address: address, registry: registry, logger: logger,
            readiness: { ReadinessReport(readyConnections: ready, connectorID: "0a0b") },
            isAlive: { isAlive }, configuration: { #"{"version":-1}"# },
            onListening: { continuation.yield($0 ?? 0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await endpoint.run()
            }
            for await port in ports {
                try await body(port)
                break
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// A bare HTTP/1.1 exchange over a real socket.
    static func get(_ path: String, port: Int) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
            var text = ""
            for try await part in inbound { text += String(buffer: part) }
            return text
        }
    }

    @Test func `ready answers the official object with 200`() async throws {
        try await withEndpoint(.fixed(host: "127.0.0.1", port: 0), ready: 1) { port in
            let answer = try await Self.get("/ready", port: port)
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(answer.hasSuffix(#"{"status":200,"readyConnections":1,"connectorId":"0a0b"}"#))
            #expect(try await Self.get("/readyz?min=2", port: port).hasPrefix("HTTP/1.1 503"))
            #expect(try await Self.get("/healthcheck", port: port).hasSuffix("OK\n"))
            #expect(try await Self.get("/livez", port: port).hasPrefix("HTTP/1.1 200"))
            #expect(try await Self.get("/other", port: port).hasPrefix("HTTP/1.1 404"))
            let metrics = try await Self.get("/metrics", port: port)
            #expect(metrics.contains("text/plain; version=0.0.4"))
            #expect(metrics.contains("cloudflared_tunnel_total_requests 7\n"))
        }
    }

    @Test func `not ready is 503`() async throws {
        try await withEndpoint(.fixed(host: "127.0.0.1", port: 0), ready: 0) { port in
            let answer = try await Self.get("/ready", port: port)
            #expect(answer.hasPrefix("HTTP/1.1 503"))
            #expect(answer.hasSuffix(#"{"status":503,"readyConnections":0,"connectorId":"0a0b"}"#))
        }
    }

    @Test func `a canary that does not come back makes it not ready, with the reason`() async throws {
        let report = ReadinessReport(readyConnections: 4, connectorID: "0a0b", canaryFailure: "answered \"502\"")
        #expect(
            report.answer() == (
                503, #"{"status":503,"readyConnections":4,"connectorId":"0a0b","canary":"answered \"502\""}"#
            ))
        #expect(report.answer(minimum: 0).status == 503)
    }

    @Test func `a server that fails is started again at its port`() async throws {
        let socket = try #require(makeListeningSocket())
        close(socket.descriptor)
        let clock = ManualClock()
        let (ports, feed) = AsyncStream.makeStream(of: Int.self)
        let endpoint = MetricsEndpoint(
            address: .fixed(host: "127.0.0.1", port: socket.port), registry: MetricsRegistry(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            readiness: { ReadinessReport(readyConnections: 1, connectorID: "0a0b") },
            onListening: { feed.yield($0 ?? 0) }, clock: clock)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { feed.finish() }
                try await endpoint.run()
            }
            var listening = ports.makeAsyncIterator()
            for _ in 0..<3 {
                try #require(await listening.next() == socket.port)
                #expect(try await Self.get("/ready", port: socket.port).hasPrefix("HTTP/1.1 200"))
                try #require(breakListener(port: socket.port))
                await clock.waitForSleepers(1)
                clock.advance(by: .seconds(1))
            }
            #expect(await listening.next() == socket.port)
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    @Test func `the default address moves on while ports are taken`() async throws {
        try await withEndpoint(.automatic(host: "127.0.0.1"), ready: 1) { first in
            try await withEndpoint(.automatic(host: "127.0.0.1"), ready: 1) { second in
                #expect(first != second)
            }
        }
    }

    @Test func `a taken port that was asked for is an error`() async throws {
        try await withEndpoint(.fixed(host: "127.0.0.1", port: 0), ready: 1) { port in
            await #expect(throws: HostError.self) {
                try await withEndpoint(.fixed(host: "127.0.0.1", port: port), ready: 1) { _ in }
            }
        }
    }

    @Test func `a process whose parts do not answer is not alive`() async throws {
        try await withEndpoint(.fixed(host: "127.0.0.1", port: 0), ready: 4, isAlive: false) { port in
            let alive = try await Self.get("/livez", port: port)
            #expect(alive.hasPrefix("HTTP/1.1 503"))
            #expect(try await Self.get("/healthcheck", port: port).hasPrefix("HTTP/1.1 200"))
            #expect(try await Self.get("/config", port: port).hasSuffix(#"{"version":-1}"#))
            #expect(try await Self.get("/quicktunnel", port: port).hasSuffix(#"{"hostname":""}"#))
        }
    }

    @Test func `a unix socket is served, and one that a killed process left behind is replaced`() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("metrics-\(UUID().uuidString)").path
        defer { unlink(path) }
        let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        try #require(UnixAddress(path)?.bind(left) == true)
        close(left)
        try await withEndpoint(.unix(path: path), ready: 1) { _ in
            let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(client) }
            #expect(UnixAddress(path)?.connect(client) == true)
            // A socket that somebody listens on stays.
            UnixAddress.removeAbandoned(path)
            #expect(FileManager.default.fileExists(atPath: path))
        }
        try Data("mine".utf8).write(to: URL(fileURLWithPath: path))
        UnixAddress.removeAbandoned(path)
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test func `connections that come while the server ends do no harm`() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("metrics-\(UUID().uuidString)").path
        defer { unlink(path) }
        for _ in 0..<20 {
            let clients = (0..<20).map { _ in socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) }
            defer { for client in clients { close(client) } }
            // The end begins when the last has connected: most are not accepted by then.
            try await withEndpoint(.unix(path: path), ready: 1) { _ in
                for client in clients { #expect(UnixAddress(path)?.connect(client) == true) }
            }
        }
    }

    @Test func `off returns at once`() async throws {
        let endpoint = MetricsEndpoint(
            address: .off, registry: MetricsRegistry(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            readiness: { ReadinessReport(readyConnections: 0, connectorID: "") })
        try await endpoint.run()
    }
}
