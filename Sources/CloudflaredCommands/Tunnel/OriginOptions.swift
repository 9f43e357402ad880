import ArgumentParser
import Logging
import TunnelConfig

/// What the one rule serves when there is no `ingress` list. Source: cli-and-config.md section 1.7, table B.
struct OriginOptions: ParsableArguments {
    @Option(help: "Origin of the one rule: http, https, rdp, ssh, smb or tcp.")
    var url: String?

    @Flag(help: "Serve a built-in test page.")
    var helloWorld = false

    @Option(help: ArgumentHelp("Serve HTTP over this unix socket.", valueName: "path"))
    var unixSocket: String?

    @Flag(help: "Let clients name the destination, within --bastion-allow.")
    var bastion = false

    @Option(
        help: ArgumentHelp(
            "A destination that --bastion may reach: host, host:port or CIDR; several as A B, A,B or by repeating it. Nothing else is reachable.",
            valueName: "destination"))
    var bastionAllow: [String] = []

    @Option(
        help: ArgumentHelp(
            "Take only requests with an assertion of this Access team, such as https://acme.example.com, for --access-aud. Its certificate is checked by the system's authorities and --cacert.",
            valueName: "url"))
    var accessIssuer: String?

    @Option(help: ArgumentHelp("AUD tag of an application whose assertions count; may be repeated.", valueName: "tag"))
    var accessAud: [String] = []

    @Flag(help: "Clients speak SOCKS5 in front of a TCP origin; whatever they ask for, they get that origin.")
    var socks5 = false

    @Option(help: "Limit for the TCP connection to the origin (30s).")
    var proxyConnectTimeout: DurationArgument?

    @Option(help: "Limit for the TLS handshake with the origin (10s).")
    var proxyTLSTimeout: DurationArgument?

    @Option(help: "TCP keep-alive period towards the origin (30s).")
    var proxyTCPKeepalive: DurationArgument?

    @Flag(help: .hidden)
    var proxyNoHappyEyeballs = false

    @Option(help: "Idle connections kept to the origin (100).")
    var proxyKeepaliveConnections: Int?

    @Option(help: "How long an idle connection is kept (1m30s).")
    var proxyKeepaliveTimeout: DurationArgument?

    @Option(help: "Host header towards the origin.")
    var httpHostHeader: String?

    @Option(help: "Name that the origin's certificate must have.")
    var originServerName: String?

    @Option(help: ArgumentHelp("Authorities for the origin's certificate.", valueName: "file"), completion: .file())
    var originCAPool: String?

    @Flag(name: .customLong("no-tls-verify"), help: "Accept any certificate of the origin.")
    var noTLSVerify = false

    @Flag(help: "Send Content-Length instead of chunks to the origin.")
    var noChunkedEncoding = false

    @Flag(name: .customLong("http2-origin"), help: "Accepted, without effect in this version.")
    var http2Origin = false

    /// Whether any of them names something to serve.
    var namesOrigin: Bool { origin != nil }

    private var origin: String? {
        if helloWorld { return "hello-world" }
        if bastion { return "bastion" }
        return [url, unixSocket].compactMap { $0 }.first { !$0.isEmpty }
    }

    /// The rules in force: those of the file, else the implied one.
    ///
    /// - Parameter hostname: what the implied rule serves; nil for every host.
    func routingTable(_ file: ConfigFile?, hostname: String?, _ context: CommandContext) throws -> RoutingTable {
        if let file, !file.ingress.isEmpty {
            if namesOrigin {
                context.logger.warning("\(file.path) has ingress rules, so --url and its siblings have no effect")
            }
            return RoutingTable(rules: try guarded(file.ingress))
        }
        var implied = RoutingTable.ImpliedOrigin()
        implied.hostname = hostname
        implied.url = url.flatMap { $0.isEmpty ? nil : $0 }
        implied.unixSocket = unixSocket.flatMap { $0.isEmpty ? nil : context.path($0) }
        implied.helloWorld = helloWorld
        implied.bastion = bastion
        implied.bastionAllow = bastionAllow
        implied.originRequest = (file?.originRequest ?? OriginRequest()).applying(overrides)
        let table = try RoutingTable.implied(implied)
        if let service = table.rules.first?.service, service.isStream, noTLSVerify || originServerName != nil {
            context.logger.warning(
                "TLS flags have no effect on \(service.description): its bytes are passed on as they are"
            )
        }
        return table
    }

    /// The check that flags ask for, for whatever is served.
    private var access: OriginRequest.AccessRequirement? {
        guard accessIssuer != nil || !accessAud.isEmpty else { return nil }
        return OriginRequest.AccessRequirement(
            required: true, teamName: "", audTag: accessAud, environment: "", issuer: accessIssuer ?? "")
    }

    /// Rules of a file that say nothing of Access get the check too: a flag that asks for it must not be passed over.
    private func guarded(_ rules: [IngressRule]) throws -> [IngressRule] {
        guard let access else { return rules }
        return try rules.map { rule in
            var rule = rule
            if rule.originRequest.access == nil { rule.originRequest.access = access }
            do throws(ConfigError) {
                try rule.originRequest.checkServable(rule.service)
            } catch {
                throw error.located(file: nil, key: "access-issuer")
            }
            return rule
        }
    }

    private var overrides: OriginRequest.Overrides {
        var overrides = OriginRequest.Overrides()
        overrides.connectTimeout = proxyConnectTimeout?.duration
        overrides.tlsTimeout = proxyTLSTimeout?.duration
        overrides.tcpKeepAlive = proxyTCPKeepalive?.duration
        overrides.keepAliveConnections = proxyKeepaliveConnections
        overrides.keepAliveTimeout = proxyKeepaliveTimeout?.duration
        overrides.httpHostHeader = httpHostHeader
        overrides.originServerName = originServerName
        overrides.caPool = originCAPool
        overrides.access = access
        // A flag that is absent leaves what originRequest of the file says.
        if proxyNoHappyEyeballs { overrides.noHappyEyeballs = true }
        if noTLSVerify { overrides.noTLSVerify = true }
        if noChunkedEncoding { overrides.disableChunkedEncoding = true }
        if http2Origin { overrides.http2Origin = true }
        if socks5 { overrides.proxyType = "socks" }
        return overrides
    }
}
