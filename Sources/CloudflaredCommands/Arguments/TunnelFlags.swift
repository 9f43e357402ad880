/// The flags that the official client defines on the root, on `tunnel` and on `tunnel run`.
/// Source: cli-and-config.md section 1.7.
enum TunnelFlags {
    /// A row of the tables: all of these may stand in the configuration file unless said otherwise.
    private static func row(
        _ name: String, _ aliases: [String] = [], _ kind: FlagDefinition.Kind = .string, _ group: FlagDefinition.Group,
        _ environment: String..., isConfigurable: Bool = true, isSecret: Bool = false, id: String? = nil
    ) -> FlagDefinition {
        FlagDefinition(
            names: [name] + aliases, id: id, kind: kind, environment: environment, group: group,
            isConfigurable: isConfigurable, isSecret: isSecret)
    }

    /// On the root and on `tunnel`.
    static let shared = base + origin + logging + connector + withoutEffect

    static let base = [
        row("config", .configuration, isConfigurable: false),
        row("origincert", .account, "TUNNEL_ORIGIN_CERT"),
        row("metrics", .host, "TUNNEL_METRICS"),
        row("pidfile", .host, "TUNNEL_PIDFILE"),
    ]

    static let origin = [
        row("url", .origin, "TUNNEL_URL"),
        row("hello-world", [], .bool, .origin, "TUNNEL_HELLO_WORLD"),
        row("unix-socket", .origin, "TUNNEL_UNIX_SOCKET"),
        row("bastion", [], .bool, .origin, "TUNNEL_BASTION"),
        row("bastion-allow", [], .list, .origin, "TUNNEL_BASTION_ALLOW"),
        row("access-issuer", .origin, "TUNNEL_ACCESS_ISSUER"),
        row("access-aud", [], .list, .origin, "TUNNEL_ACCESS_AUD"),
        row("socks5", [], .bool, .origin, "TUNNEL_SOCKS"),
        row("proxy-connect-timeout", [], .duration, .origin),
        row("proxy-tls-timeout", [], .duration, .origin),
        row("proxy-tcp-keepalive", [], .duration, .origin),
        row("proxy-no-happy-eyeballs", [], .bool, .origin),
        row("proxy-keepalive-connections", [], .integer, .origin),
        row("proxy-keepalive-timeout", [], .duration, .origin),
        row("http-host-header", .origin, "TUNNEL_HTTP_HOST_HEADER"),
        row("origin-server-name", .origin, "TUNNEL_ORIGIN_SERVER_NAME"),
        row("origin-ca-pool", .origin, "TUNNEL_ORIGIN_CA_POOL"),
        row("no-tls-verify", [], .bool, .origin, "NO_TLS_VERIFY"),
        row("no-chunked-encoding", [], .bool, .origin, "TUNNEL_NO_CHUNKED_ENCODING"),
        row("http2-origin", [], .bool, .origin, "TUNNEL_ORIGIN_ENABLE_HTTP2"),
    ]

    static let logging = [
        row("loglevel", .logging, "TUNNEL_LOGLEVEL"),
        row("logfile", .logging, "TUNNEL_LOGFILE"),
        row("log-directory", .logging, "TUNNEL_LOGDIRECTORY"),
        // `list -o json` is another flag of the same official name.
        row(
            "output", ["log-output"], .string, .logging, "TUNNEL_MANAGEMENT_OUTPUT", "TUNNEL_LOG_OUTPUT",
            isConfigurable: false, id: "log-output"),
    ]

    static let credentialsFile = row("credentials-file", ["cred-file"], .string, .credentials, "TUNNEL_CRED_FILE")

    static let connector = [
        credentialsFile,
        row("name", ["n"], .string, .classic, "TUNNEL_NAME"),
        row("hostname", .classic, "TUNNEL_HOSTNAME"),
        row("lb-pool", .classic, "TUNNEL_LB_POOL"),
        row("overwrite-dns", ["f"], .bool, .classic, "TUNNEL_FORCE_PROVISIONING_DNS", isConfigurable: false),
        row("protocol", ["p"], .string, .connector, "TUNNEL_TRANSPORT_PROTOCOL"),
        row("post-quantum", ["pq"], .bool, .connector, "TUNNEL_POST_QUANTUM"),
        row("region", .connector, "TUNNEL_REGION"),
        row("edge", [], .list, .connector, "TUNNEL_EDGE"),
        row("cacert", .account, "TUNNEL_CACERT"),
        row("api-url", .account, "TUNNEL_API_URL"),
        row("max-fetch-size", [], .integer, .account, "TUNNEL_MAX_FETCH_SIZE"),
        row("edge-ip-version", .connector, "TUNNEL_EDGE_IP_VERSION"),
        row("edge-bind-address", .connector, "TUNNEL_EDGE_BIND_ADDRESS"),
        // May hold a password.
        row("edge-proxy", .connector, "TUNNEL_EDGE_PROXY", isSecret: true),
        row("ha-connections", [], .integer, .connector),
        row("retries", [], .integer, .connector, "TUNNEL_RETRIES"),
        row("max-edge-addr-retries", [], .integer, .connector),
        row("rpc-timeout", [], .duration, .connector),
        row("grace-period", [], .duration, .connector, "TUNNEL_GRACE_PERIOD"),
        row("write-stream-timeout", [], .duration, .connector, "TUNNEL_STREAM_WRITE_TIMEOUT"),
        row("label", .connector),
        row("ready-policy", .connector, "TUNNEL_READY_POLICY"),
        // Its query may let in whoever knows it.
        row("ready-canary", .connector, "TUNNEL_READY_CANARY", isSecret: true),
        row("ready-canary-interval", [], .duration, .connector, "TUNNEL_READY_CANARY_INTERVAL"),
        row("tag", [], .list, .connector, "TUNNEL_TAG"),
    ]

    /// Only on `tunnel run`.
    static let run = [
        row("token", .credentials, "TUNNEL_TOKEN", isSecret: true),
        row("token-file", .credentials, "TUNNEL_TOKEN_FILE"),
        row("credentials-contents", .credentials, "TUNNEL_CRED_CONTENTS", isSecret: true),
        row("features", ["F"], .list, .connector),
        row("icmpv4-src", .ignored, "TUNNEL_ICMPV4_SRC", isConfigurable: false),
        row("icmpv6-src", .ignored, "TUNNEL_ICMPV6_SRC", isConfigurable: false),
        row("max-active-flows", [], .unsigned, .connector, "TUNNEL_MAX_ACTIVE_FLOWS", isConfigurable: false),
        row("dns-resolver-addrs", [], .list, .ignored, "TUNNEL_DNS_RESOLVER_ADDRS", isConfigurable: false),
    ]

    /// Without effect in the official client, for a protocol that is not spoken here, or for self-update, which
    /// packages do. Their environment variables have generic names; they are known and not looked at.
    static let withoutEffect = [
        ignored("autoupdate-freq", .duration),
        ignored("no-autoupdate", .bool, "NO_AUTOUPDATE"),
        ignored("no-prechecks", .bool, "TUNNEL_NO_PRECHECKS"),
        ignored("proxy-connection-timeout", .duration),
        ignored("proxy-expect-continue-timeout", .duration),
        ignored("management-hostname", .string, "TUNNEL_MANAGEMENT_HOSTNAME"),
        ignored("service-op-ip", .string, "TUNNEL_SERVICE_OP_IP"),
        ignored("proxy-address", .string, "TUNNEL_PROXY_ADDRESS"),
        ignored("proxy-port", .integer, "TUNNEL_PROXY_PORT"),
        ignored("ssh-server", .bool, "TUNNEL_SSH_SERVER"),
        ignored("local-ssh-port", .string, "LOCAL_SSH_PORT"),
        ignored("ssh-idle-timeout", .duration, "SSH_IDLE_TIMEOUT"),
        ignored("ssh-max-timeout", .duration, "SSH_MAX_TIMEOUT"),
        ignored("bucket-name", .string, "BUCKET_ID"),
        ignored("region-name", .string, "REGION_ID"),
        ignored("secret-id", .string, "SECRET_ID"),
        ignored("access-key-id", .string, "ACCESS_CLIENT_ID"),
        ignored("session-token", .string, "SESSION_TOKEN_ID"),
        ignored("s3-url-host", .string, "S3_URL"),
        ignored("host-key-path", .string, "HOST_KEY_PATH"),
        row(
            "transport-loglevel", ["proto-loglevel"], .string, .ignored, "TUNNEL_PROTO_LOGLEVEL",
            "TUNNEL_TRANSPORT_LOGLEVEL"),
        ignored("trace-output", .string, "TUNNEL_TRACE_OUTPUT"),
        ignored("proxy-dns", .bool),
        ignored("proxy-dns-port", .integer),
        ignored("proxy-dns-address", .string),
        ignored("proxy-dns-upstream", .list),
        ignored("proxy-dns-max-upstream-conns", .integer),
        ignored("proxy-dns-bootstrap", .list),
        ignored("quick-service", .string),
        ignored("quic-disable-pmtu-discovery", .bool, "TUNNEL_DISABLE_QUIC_PMTU"),
        ignored(
            "quic-connection-level-flow-control-limit", .integer, "TUNNEL_QUIC_CONN_LEVEL_FLOW_CONTROL_LIMIT"),
        ignored(
            "quic-stream-level-flow-control-limit", .integer, "TUNNEL_QUIC_STREAM_LEVEL_FLOW_CONTROL_LIMIT"),
        ignored("management-diagnostics", .bool, "TUNNEL_MANAGEMENT_DIAGNOSTICS"),
        ignored("stdin-control", .bool, "STDIN_CONTROL"),
        ignored("metrics-update-freq", .duration, "TUNNEL_METRICS_UPDATE_FREQ"),
        ignored("heartbeat-interval", .duration),
        ignored("heartbeat-count", .integer),
        ignored("compression-quality", .integer, "TUNNEL_COMPRESSION_LEVEL"),
        ignored("use-reconnect-token", .bool, "TUNNEL_USE_RECONNECT_TOKEN"),
        ignored("dial-edge-timeout", .duration, "DIAL_EDGE_TIMEOUT"),
        ignored("is-autoupdated", .bool),
        ignored("id", .string, "TUNNEL_ID"),
        ignored("api-key", .string, "TUNNEL_API_KEY"),
        ignored("api-email", .string, "TUNNEL_API_EMAIL"),
        ignored("api-ca-key", .string, "TUNNEL_API_CA_KEY"),
        ignored("ui", .bool),
    ]

    /// Those without effect that ask for nothing but what holds here anyway: no notice is due.
    static let fulfilled: Set<String> = [
        "autoupdate-freq", "no-autoupdate", "no-prechecks", "is-autoupdated", "metrics-update-freq",
        "use-reconnect-token", "dial-edge-timeout", "proxy-connection-timeout", "proxy-expect-continue-timeout",
    ]

    private static let secretsWithoutEffect: Set<String> = [
        "secret-id", "access-key-id", "session-token", "api-key", "api-ca-key",
    ]

    private static func ignored(
        _ name: String, _ kind: FlagDefinition.Kind, _ environment: String...
    ) -> FlagDefinition {
        FlagDefinition(
            names: [name], id: nil, kind: kind, environment: environment, group: .ignored, isConfigurable: true,
            isSecret: secretsWithoutEffect.contains(name))
    }

    private static func row(
        _ name: String, _ group: FlagDefinition.Group, _ environment: String..., isConfigurable: Bool = true,
        isSecret: Bool = false
    ) -> FlagDefinition {
        FlagDefinition(
            names: [name], id: nil, kind: .string, environment: environment, group: group,
            isConfigurable: isConfigurable,
            isSecret: isSecret)
    }
}
