/// A configuration file, `config.yml`: read, checked and with everything inherited filled in.
///
/// Every value is what the file says; nothing is a default, except inside `originRequest`. Explicit `false` and `0` count
/// as said. The daemon, `ingress validate` and the tests all read through `parse`.
package struct ConfigFile: Sendable, Hashable {
    package enum FlagValue: Sendable, Hashable {
        case string(String)
        case bool(Bool)
        case int(Int)
        case duration(Duration)
        case strings([String])
    }

    /// `warp-routing`.
    package struct WarpRouting: Sendable, Hashable {
        package var connectTimeout: Duration?
        package var maxActiveFlows: Int?
        package var tcpKeepAlive: Duration?

        package init() {}
    }

    /// As the person named it; used in messages and to resolve relative paths.
    package let path: String
    /// Empty when the file has no `ingress`.
    package internal(set) var ingress: [IngressRule] = []
    /// The file's own `originRequest` over the defaults: what rules inherit.
    package internal(set) var originRequest = OriginRequest()
    /// True for `bastion: true`, and for `bastion: {allow: …}` without `ingress`.
    package internal(set) var bastion: Bool?
    /// `bastion-allow`, or `allow` of `bastion`.
    package internal(set) var bastionAllow: [String] = []
    package internal(set) var warpRouting = WarpRouting()
    /// Local ports that lead to services behind an edge.
    package internal(set) var forwarders: [ForwarderEntry] = []
    package internal(set) var warnings: [ConfigWarning] = []
    var flags: [String: FlagValue] = [:]

    init(path: String) { self.path = path }

    /// Reads and validates a file. `path` is for messages and for resolving relative paths; nothing is opened.
    package static func parse(_ yaml: String, path: String) throws(ConfigError) -> ConfigFile {
        var reader = ConfigReader(path: path)
        return try reader.read(yaml)
    }

    // MARK: Flags by name, for the resolution command line > environment > file > default

    package func string(_ flag: String) -> String? {
        if case .string(let value) = flags[flag] { value } else { nil }
    }

    package func bool(_ flag: String) -> Bool? {
        if flag == "bastion" { return bastion }
        return if case .bool(let value) = flags[flag] { value } else { nil }
    }

    package func int(_ flag: String) -> Int? {
        if case .int(let value) = flags[flag] { value } else { nil }
    }

    package func duration(_ flag: String) -> Duration? {
        if case .duration(let value) = flags[flag] { value } else { nil }
    }

    package func strings(_ flag: String) -> [String]? {
        if case .strings(let value) = flags[flag] { value } else { nil }
    }

    /// The names of the flags that the file sets.
    package var flagNames: [String] { flags.keys.sorted() }
}

// The flags that have readers today, under typed names.
extension ConfigFile {
    package var tunnel: String? { string("tunnel") }
    package var credentialsFile: String? { string("credentials-file") }
    package var credentialsContents: String? { string("credentials-contents") }
    package var token: String? { string("token") }
    package var tokenFile: String? { string("token-file") }
    package var hostname: String? { string("hostname") }
    package var name: String? { string("name") }
    package var url: String? { string("url") }
    package var unixSocket: String? { string("unix-socket") }
    package var helloWorld: Bool? { bool("hello-world") }
    package var origincert: String? { string("origincert") }
    package var apiURL: String? { string("api-url") }
    package var edge: [String]? { strings("edge") }
    package var cacert: String? { string("cacert") }
    package var region: String? { string("region") }
    package var protocolName: String? { string("protocol") }
    package var edgeIPVersion: String? { string("edge-ip-version") }
    package var edgeBindAddress: String? { string("edge-bind-address") }
    package var postQuantum: Bool? { bool("post-quantum") }
    package var haConnections: Int? { int("ha-connections") }
    package var retries: Int? { int("retries") }
    package var maxEdgeAddrRetries: Int? { int("max-edge-addr-retries") }
    package var rpcTimeout: Duration? { duration("rpc-timeout") }
    package var gracePeriod: Duration? { duration("grace-period") }
    package var writeStreamTimeout: Duration? { duration("write-stream-timeout") }
    package var features: [String]? { strings("features") }
    package var label: String? { string("label") }
    /// `NAME=VALUE` each.
    package var tags: [String]? { strings("tag") }
    package var metrics: String? { string("metrics") }
    package var pidfile: String? { string("pidfile") }
    package var logfile: String? { string("logfile") }
    package var logDirectory: String? { string("log-directory") }
    package var loglevel: String? { string("loglevel") }
    package var transportLoglevel: String? { string("transport-loglevel") }
    package var output: String? { string("output") }
    package var noAutoupdate: Bool? { bool("no-autoupdate") }
    package var autoupdateFrequency: Duration? { duration("autoupdate-freq") }
    package var noPrechecks: Bool? { bool("no-prechecks") }
    package var overwriteDNS: Bool? { bool("overwrite-dns") }
    package var maxActiveFlows: Int? { int("max-active-flows") }
    package var noTLSVerify: Bool? { bool("no-tls-verify") }
    package var originServerName: String? { string("origin-server-name") }

    /// What the origin flags of the file set: they only count without `ingress`.
    package var originFlags: OriginRequest.Overrides {
        var result = OriginRequest.Overrides()
        result.connectTimeout = duration("proxy-connect-timeout")
        result.tlsTimeout = duration("proxy-tls-timeout")
        result.tcpKeepAlive = duration("proxy-tcp-keepalive")
        result.noHappyEyeballs = bool("proxy-no-happy-eyeballs")
        result.keepAliveConnections = int("proxy-keepalive-connections")
        result.keepAliveTimeout = duration("proxy-keepalive-timeout")
        result.httpHostHeader = string("http-host-header")
        result.originServerName = originServerName
        result.caPool = string("origin-ca-pool")
        result.noTLSVerify = noTLSVerify
        result.disableChunkedEncoding = bool("no-chunked-encoding")
        result.http2Origin = bool("http2-origin")
        if let socks = bool("socks5") { result.proxyType = socks ? "socks" : "" }
        return result
    }

    /// The classic form as the file alone asks for it; the command line then replaces what it names.
    package var impliedOrigin: RoutingTable.ImpliedOrigin {
        var origin = RoutingTable.ImpliedOrigin()
        origin.hostname = hostname
        origin.url = url
        origin.unixSocket = unixSocket
        origin.helloWorld = helloWorld ?? false
        origin.bastion = bastion ?? false
        origin.bastionAllow = bastionAllow
        origin.originRequest = originRequest.applying(originFlags)
        return origin
    }
}
