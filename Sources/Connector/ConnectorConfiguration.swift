package import ByteStream
import EdgeTransport
package import Foundation
package import NIOCore
import NIOSSL
package import TunnelConfig
import TunnelWire

/// Everything a connector runs by, checked and resolved. A value: a reload makes a new one.
package struct ConnectorConfiguration: Sendable {
    package var credentials: TunnelCredentials
    /// What the edge may reach here.
    package var routes: RoutingTable
    /// Edges to dial, `host:port`; a connection each, at most. Empty: they are looked up.
    package var edges: [String]
    /// Of the edges that are looked up; nil for all.
    package var region: String?
    /// Families of edge addresses; nil for both.
    package var edgeFamily: EdgeAddresses.Family?
    /// Where connections to the edge come from; its family is the only one then.
    package var edgeBindAddress: SocketAddress?
    /// What leads to the edge; nil for nothing.
    package var edgeProxy: ProxyServer?
    /// PEM file with the only certificates to trust for the edge; nil trusts the system's.
    package var edgeCAFile: String?
    package var postQuantumOnly = false
    package var haConnections = 4
    /// How often the wait between attempts doubles from a second on, before it stays as it is (`--retries`).
    package var retries = 5
    package var gracePeriod: TimeAmount = .seconds(30)
    package var rpcTimeout: TimeAmount = .seconds(5)
    /// Random for each process; sent to the edge, shown by `/ready`.
    package var connectorID = UUID()
    package var version: String
    /// Names added to the features we advertise.
    package var features: [String] = []
    /// Request headers `Cf-Warp-Tag-<name>`.
    package var tags: [(name: String, value: String)] = []
    /// Told to the edge after registration when the tunnel is configured here; nil for none.
    package var localConfiguration: ByteBuffer?
    /// Streams served at once over all links.
    package var maximumStreams = 10_000
    package var pidFile: String?
    /// When systemd is told that the connector has started.
    package var readyPolicy = ReadyPolicy.first
    /// What is sent around to see whether the way from the edge back here works; nil for none.
    package var canary: Canary?
    /// The answer of `/config`, JSON.
    package var report = "{}"
    /// Replaces `localConfiguration` in a running connector, where a reload may change it.
    var currentLocalConfiguration: (@Sendable () -> ByteBuffer?)?

    package init(credentials: TunnelCredentials, routes: RoutingTable, edges: [String], version: String) {
        self.credentials = credentials
        self.routes = routes
        self.edges = edges
        self.version = version
    }

    /// What we advertise: only what is built. QUIC's features are harmless on HTTP/2 and left out.
    var advertisedFeatures: [String] {
        var names = ["allow_remote_config", "serialized_headers"]
        if postQuantumOnly { names.append("postquantum") }
        for name in features where !names.contains(name) { names.append(name) }
        return names
    }

    /// Connections that are kept: one to each edge at most.
    var wantedConnections: Int { edges.isEmpty ? haConnections : min(haConnections, edges.count) }

    /// What a reload replaces.
    package var served: ServedConfiguration {
        ServedConfiguration(routes: routes, tags: tags, localConfiguration: localConfiguration, report: report)
    }

    /// The waits of a slot.
    var backoff: Backoff { Backoff(cap: .seconds(1 << min(max(retries, 0), 16))) }

    func plan(index: UInt8, previousAttempts: UInt8, tls: NIOSSLContext) -> SessionPlan {
        var plan = SessionPlan(
            index: index, credentials: credentials,
            client: ClientInfo(
                clientID: connectorID, features: advertisedFeatures, version: version, arch: Self.architecture),
            previousAttempts: previousAttempts, tls: tls)
        plan.link.localAddress = edgeBindAddress
        plan.link.proxy = edgeProxy
        plan.link.userAgent = "cloudflared/\(version)"
        plan.rpcTimeout = rpcTimeout
        plan.gracePeriod = gracePeriod
        if index == 0 {
            plan.localConfiguration = currentLocalConfiguration ?? { [localConfiguration] in localConfiguration }
        }
        return plan
    }

    /// `<os>_<arch>` in the official spelling.
    private static var architecture: String {
        #if arch(x86_64)
            "linux_amd64"
        #elseif arch(arm64)
            "linux_arm64"
        #else
            "linux_unknown"
        #endif
    }
}
