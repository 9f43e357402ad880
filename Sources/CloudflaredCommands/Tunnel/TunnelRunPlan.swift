import ByteStream
import Connector
import ControlAPI
import Foundation
import Logging
import NIOCore
import ServiceHost
import TunnelConfig

/// Everything that a connector run needs, decided: flags, environment, files and account API have been asked.
struct TunnelRunPlan: Sendable {
    struct Tag: Sendable, Equatable {
        var name: String
        var value: String
    }

    var credentials: TunnelCredentials
    var routing: RoutingTable
    /// Whether rules were given here. Without them the edge may send some.
    var hasLocalRules: Bool
    /// Fixed addresses; empty means that they are looked up.
    var edges: [String]
    /// PEM file of authorities for the edge, besides the system's.
    var authorityFile: String?
    var transport: ProtocolSelector
    var isPostQuantumRequired: Bool
    /// Of the edge that is looked up, by flag or by the tunnel's credentials.
    var region: String?
    /// Nil for both.
    var edgeFamily: EdgeAddresses.Family?
    var edgeBindAddress: SocketAddress?
    var edgeProxy: ProxyServer?
    var haConnections: Int
    var retries: Int
    var maximumEdgeAddressRetries: Int
    var rpcTimeout: Duration
    var gracePeriod: Duration
    /// Zero means none.
    var writeTimeout: Duration
    var label: String?
    var tags: [Tag]
    var features: [String]
    /// Zero means unlimited.
    var maximumActiveFlows: Int
    var metrics: MetricsAddress
    var pidFile: PIDFile?
    var readyPolicy: ReadyPolicy
    var canary: Canary?
    /// What the file's rules inherit, as `/config` shows it.
    var originDefaults: OriginRequest
    var warpRouting: ConfigFile.WarpRouting
    /// Random for each process.
    var connectorID: UUID
    /// Given flags by name, secrets masked, for the local configuration that is told to the edge.
    var settings: [String: String]

    /// Checks the flags that only make sense together or within bounds.
    ///
    /// - Throws: ``CommandError`` with code `usage`, ``HostError`` for the metrics address.
    init(
        credentials: TunnelCredentials, routing: RoutingTable, hasLocalRules: Bool, options: ConnectorOptions,
        authorityFile: String?, context: CommandContext, connectorID: UUID = UUID()
    ) throws {
        self.credentials = credentials
        self.routing = routing
        self.hasLocalRules = hasLocalRules
        self.authorityFile = authorityFile.map(context.path)
        self.connectorID = connectorID
        settings = context.settings
        edges = options.edge
        for edge in edges { try Self.checkEdge(edge) }
        maximumEdgeAddressRetries = try Self.checked(options.maxEdgeAddrRetries, 0...255, "--max-edge-addr-retries")
        transport = try Self.transport(options.transport, addressRetries: maximumEdgeAddressRetries)
        isPostQuantumRequired = options.postQuantum
        region = try Self.region(options.region, credentials)
        edgeBindAddress = try Self.bindAddress(options.edgeBindAddress)
        edgeFamily = try Self.family(options.edgeIPVersion, edgeBindAddress, context)
        edgeProxy = try Self.proxy(options.edgeProxy)
        haConnections = try Self.checked(options.haConnections, 1...64, "--ha-connections")
        retries = try Self.checked(options.retries, 0...1_000_000, "--retries")
        rpcTimeout = try Self.checked(options.rpcTimeout, default: .seconds(5), from: .milliseconds(1), "--rpc-timeout")
        gracePeriod = try Self.checked(
            options.gracePeriod, default: .seconds(30), from: .zero, to: .seconds(180), "--grace-period")
        writeTimeout = try Self.checked(
            options.writeStreamTimeout, default: .zero, from: .zero, "--write-stream-timeout")
        label = options.label.flatMap { $0.isEmpty ? nil : $0 }
        tags = try options.tag.map(Self.tag)
        features = options.features
        maximumActiveFlows = options.maxActiveFlows
        metrics = try MetricsAddress(parsing: options.metrics)
        guard let policy = ReadyPolicy(rawValue: options.readyPolicy) else {
            throw CommandError(
                .usage, "--ready-policy takes first, quorum or process, not \"\(options.readyPolicy)\"")
        }
        readyPolicy = policy
        canary = try Self.canary(options, authorityFile: self.authorityFile, context)
        originDefaults = context.configuration?.originRequest ?? OriginRequest()
        warpRouting = context.configuration?.warpRouting ?? ConfigFile.WarpRouting()
        pidFile = options.pidfile.flatMap { $0.isEmpty ? nil : PIDFile(path: context.path($0)) }
    }

    /// Flags that change how the official client reaches the edge and are not acted on here; said at start, so that
    /// nobody relies on them.
    var withoutEffect: [String] {
        var names: [String] = []
        if writeTimeout != .zero { names.append("--write-stream-timeout") }
        if maximumActiveFlows != 0 { names.append("--max-active-flows") }
        // Without another transport there is nothing to fall back to.
        if maximumEdgeAddressRetries != 8 { names.append("--max-edge-addr-retries") }
        if region != nil, !edges.isEmpty { names.append("--region (with --edge)") }
        if edgeFamily != nil, edgeBindAddress == nil, !looksUpAddresses {
            names.append("--edge-ip-version (with addresses in --edge, or --edge with --edge-proxy)")
        }
        if routing.rules.contains(where: \.originRequest.http2Origin) { names.append("--http2-origin") }
        if label != nil { names.append("--label") }
        return names
    }

    /// Whether there are names whose addresses a family can be chosen of.
    private var looksUpAddresses: Bool {
        guard !edges.isEmpty else { return true }
        let hosts = edges.compactMap { HostAndPort($0)?.host }
        return edgeProxy == nil && hosts.contains { (try? SocketAddress(ipAddress: $0, port: 0)) == nil }
    }

    // MARK: Checks

    private static func transport(_ text: String, addressRetries: Int) throws -> ProtocolSelector {
        let choice: ProtocolSelector.Transport?
        switch text.lowercased() {
        case "auto", "": choice = nil
        case "http2", "h2mux": choice = .http2
        case "quic": choice = .quic
        default: throw CommandError(.usage, "--protocol takes auto or http2, not \"\(text)\"")
        }
        do {
            return try ProtocolSelector(choice, addressRetries: addressRetries)
        } catch {
            throw CommandError(.usage, "\(error)")
        }
    }

    /// The region becomes part of a name that is looked up.
    private static func region(_ text: String?, _ credentials: TunnelCredentials) throws -> String? {
        let region = text.flatMap { $0.isEmpty ? nil : $0 }
        let endpoint = credentials.endpoint.flatMap { $0.isEmpty ? nil : $0 }
        if let region, let endpoint {
            throw CommandError(
                .usage,
                "the tunnel belongs to the endpoint \"\(endpoint)\", so --region \(region) cannot be used with it")
        }
        guard let name = region ?? endpoint else { return nil }
        let isLabel =
            name.utf8.count <= 40 && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
        guard isLabel else {
            throw CommandError(.usage, "--region takes a word such as us, not \"\(name)\"")
        }
        return name.lowercased()
    }

    private static func bindAddress(_ text: String?) throws -> SocketAddress? {
        guard let text, !text.isEmpty else { return nil }
        guard let address = try? SocketAddress(ipAddress: text, port: 0) else {
            throw CommandError(.usage, "--edge-bind-address takes an IP address of this host, not \"\(text)\"")
        }
        return address
    }

    /// A connection cannot leave from an address of the other family.
    private static func family(
        _ text: String, _ bindAddress: SocketAddress?, _ context: CommandContext
    ) throws -> EdgeAddresses.Family? {
        let wanted: EdgeAddresses.Family?
        switch text.lowercased() {
        case "auto", "": wanted = nil
        case "4": wanted = .v4
        case "6": wanted = .v6
        default: throw CommandError(.usage, "--edge-ip-version takes 4, 6 or auto, not \"\(text)\"")
        }
        guard let bindAddress else { return wanted }
        let forced: EdgeAddresses.Family = bindAddress.protocol == .inet6 ? .v6 : .v4
        if let wanted, wanted != forced {
            context.logger.warning("--edge-ip-version gives way to the family of --edge-bind-address")
        }
        return forced
    }

    private static func proxy(_ text: String?) throws -> ProxyServer? {
        guard let text, !text.isEmpty else { return nil }
        do {
            return try ProxyServer(url: text)
        } catch {
            throw CommandError(.usage, "--edge-proxy \(error)")
        }
    }

    private static func canary(
        _ options: ConnectorOptions, authorityFile: String?, _ context: CommandContext
    ) throws -> Canary? {
        let interval = try checked(
            options.readyCanaryInterval, default: .seconds(30), from: .seconds(1), "--ready-canary-interval")
        guard let url = options.readyCanary, !url.isEmpty else { return nil }
        let address: PublicAddress
        do {
            address = try PublicAddress(
                url, authorityFiles: authorityFile.map { [$0] } ?? [], environment: context.environment)
        } catch {
            throw CommandError(.usage, "--ready-canary cannot be asked", cause: error)
        }
        return Canary(interval: interval) { try await address.ask() }
    }

    private static func checkEdge(_ text: String) throws {
        guard HostAndPort(text) != nil else {
            throw CommandError(
                .usage,
                "--edge takes host:port, such as edge.example.com:7844 or [2001:db8::1]:7844, not \"\(text)\"")
        }
    }

    /// Source: cli-and-config.md section 1.7, `--tag`: the name goes into a header name, the value into a header value.
    private static func tag(_ text: String) throws -> Tag {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let isToken = parts[0].utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
        guard parts.count == 2, !parts[0].isEmpty, isToken, parts[1].utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
            throw CommandError(.usage, "--tag takes NAME=VALUE in plain characters, not \"\(text)\"")
        }
        return Tag(name: String(parts[0]), value: String(parts[1]))
    }

    private static func checked(_ value: Int, _ range: ClosedRange<Int>, _ flag: String) throws -> Int {
        guard range.contains(value) else {
            throw CommandError(.usage, "\(flag) takes \(range.lowerBound) to \(range.upperBound), not \(value)")
        }
        return value
    }

    private static func checked(
        _ value: DurationArgument?, default standard: Duration, from minimum: Duration, to maximum: Duration? = nil,
        _ flag: String
    ) throws -> Duration {
        guard let duration = value?.duration else { return standard }
        guard duration >= minimum, duration <= maximum ?? duration else {
            let upper = maximum.map { " to \(GoDuration.format($0))" } ?? " or more"
            throw CommandError(
                .usage, "\(flag) takes \(GoDuration.format(minimum))\(upper), not \(GoDuration.format(duration))")
        }
        return duration
    }
}
