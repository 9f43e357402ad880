/// Which flags the configuration file can carry under their primary name (cli-and-config.md, section 1.7), and how.
package enum ConfigKeys {
    enum Kind {
        case string
        /// Relative to the directory of the configuration file.
        case path
        /// A string that no message may show.
        case secret
        case bool
        case int
        case duration
        case strings
        /// `NAME=VALUE` entries; a map is taken too.
        case tags
    }

    struct Flag {
        var kind: Kind
        /// The official client parses it and does nothing with it; so do we, silently.
        var hasEffect: Bool
    }

    static let flags: [String: Flag] = {
        var result: [String: Flag] = [:]
        func add(_ kind: Kind, hasEffect: Bool = true, _ names: String) {
            for name in names.split(whereSeparator: \.isWhitespace) {
                result[String(name)] = Flag(kind: kind, hasEffect: hasEffect)
            }
        }
        add(
            .path,
            "origincert pidfile logfile log-directory trace-output cacert origin-ca-pool token-file credentials-file")
        add(.secret, "token credentials-contents")
        add(
            .string,
            """
            tunnel metrics url unix-socket http-host-header origin-server-name management-hostname service-op-ip loglevel
            transport-loglevel output name hostname lb-pool quick-service protocol region api-url edge-ip-version
            edge-bind-address label icmpv4-src icmpv6-src ready-policy access-store-url
            """)
        add(
            .bool,
            """
            no-autoupdate no-prechecks hello-world socks5 proxy-no-happy-eyeballs no-tls-verify no-chunked-encoding
            http2-origin overwrite-dns post-quantum quic-disable-pmtu-discovery management-diagnostics stdin-control
            """)
        add(
            .int,
            """
            proxy-keepalive-connections ha-connections retries max-edge-addr-retries max-fetch-size max-active-flows
            quic-connection-level-flow-control-limit quic-stream-level-flow-control-limit
            """)
        add(
            .duration,
            """
            autoupdate-freq proxy-connect-timeout proxy-tls-timeout proxy-tcp-keepalive proxy-keepalive-timeout rpc-timeout
            grace-period write-stream-timeout
            """)
        add(.strings, "edge features dns-resolver-addrs bastion-allow auth-domain")
        add(.tags, "tag")
        add(
            .string, hasEffect: false,
            """
            proxy-address local-ssh-port bucket-name region-name s3-url-host host-key-path proxy-dns-address id
            """)
        add(.secret, hasEffect: false, "secret-id access-key-id session-token api-key api-email api-ca-key")
        add(.bool, hasEffect: false, "ssh-server proxy-dns use-reconnect-token is-autoupdated ui")
        add(
            .int, hasEffect: false,
            "proxy-port proxy-dns-port proxy-dns-max-upstream-conns heartbeat-count compression-quality")
        add(
            .duration, hasEffect: false,
            """
            proxy-connection-timeout proxy-expect-continue-timeout ssh-idle-timeout ssh-max-timeout metrics-update-freq
            heartbeat-interval dial-edge-timeout
            """)
        add(.strings, hasEffect: false, "proxy-dns-upstream proxy-dns-bootstrap")
        return result
    }()

    /// Keys that hold more than a flag's value.
    static let sections = ["ingress", "originRequest", "warp-routing", "bastion", "forwarders"]

    /// Keys beside `forwarders` that the official service mode reads and does nothing with (section 2.9).
    static let serviceMode = ["logDirectory", "logLevel", "tunnels"]

    /// Names under which people try a key although only another works.
    static let aliases = ["cred-file": "credentials-file", "proto-loglevel": "transport-loglevel"]

    /// The known name that `name` was probably meant to be.
    package static func suggestion(for name: String, among known: some Sequence<String>) -> String? {
        let wanted = folded(name)
        var best: (name: String, distance: Int)?
        for candidate in known {
            let distance = editDistance(wanted, folded(candidate))
            if distance < (best?.distance ?? .max) || (distance == best?.distance && candidate < best?.name ?? "") {
                best = (candidate, distance)
            }
        }
        guard let best, best.distance <= max(1, wanted.count / 4) else { return nil }
        return best.name
    }

    private static func folded(_ name: String) -> [UInt8] {
        name.prefix(64).lowercased().utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "_") }
    }

    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (byte == other ? 0 : 1))
                diagonal = above
            }
        }
        return row[right.count]
    }
}
