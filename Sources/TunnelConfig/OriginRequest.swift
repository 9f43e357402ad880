/// How an origin is reached: the `originRequest` of a rule with everything inherited already in it.
///
/// A key comes from the rule, else from the file's own `originRequest`, else from here; every key is replaced as a whole.
package struct OriginRequest: Hashable, Sendable {
    package var connectTimeout: Duration = .seconds(30)
    package var tlsTimeout: Duration = .seconds(10)
    package var tcpKeepAlive: Duration = .seconds(30)
    package var noHappyEyeballs = false
    package var keepAliveConnections = 100
    package var keepAliveTimeout: Duration = .seconds(90)
    /// Replaces the `Host` header.
    package var httpHostHeader: String?
    /// Server name sent and verified.
    package var originServerName: String?
    /// The server name is the request's host.
    package var matchSNItoHost = false
    /// A file of further certificate authorities.
    package var caPool: String?
    package var noTLSVerify = false
    package var disableChunkedEncoding = false
    package var http2Origin = false
    package var bastionMode = false
    /// Where a bastion rule may connect to. Nil refuses everything.
    package var bastionAllow: DestinationAllowList?
    /// `socks` or nothing.
    package var proxyType: String?
    package var proxyAddress = "127.0.0.1"
    package var proxyPort = 0
    package var ipRules: [IPRule] = []
    package var access: AccessRequirement?

    package init() {}

    /// This with the keys that `overrides` has.
    package func applying(_ overrides: Overrides) -> OriginRequest {
        var result = self
        if let value = overrides.connectTimeout { result.connectTimeout = value }
        if let value = overrides.tlsTimeout { result.tlsTimeout = value }
        if let value = overrides.tcpKeepAlive { result.tcpKeepAlive = value }
        if let value = overrides.noHappyEyeballs { result.noHappyEyeballs = value }
        if let value = overrides.keepAliveConnections { result.keepAliveConnections = value }
        if let value = overrides.keepAliveTimeout { result.keepAliveTimeout = value }
        if let value = overrides.httpHostHeader { result.httpHostHeader = value.nilIfEmpty }
        if let value = overrides.originServerName { result.originServerName = value.nilIfEmpty }
        if let value = overrides.matchSNItoHost { result.matchSNItoHost = value }
        if let value = overrides.caPool { result.caPool = value.nilIfEmpty }
        if let value = overrides.noTLSVerify { result.noTLSVerify = value }
        if let value = overrides.disableChunkedEncoding { result.disableChunkedEncoding = value }
        if let value = overrides.http2Origin { result.http2Origin = value }
        if let value = overrides.bastionMode { result.bastionMode = value }
        if let value = overrides.bastionAllow { result.bastionAllow = value }
        if let value = overrides.proxyType { result.proxyType = value.nilIfEmpty }
        if let value = overrides.proxyAddress { result.proxyAddress = value }
        if let value = overrides.proxyPort { result.proxyPort = value }
        if let value = overrides.ipRules { result.ipRules = value }
        if let value = overrides.access { result.access = value.completed(by: result.access) }
        return result
    }

    /// The keys that one place (a rule, the whole file, the command line) sets; nil is "not set here".
    package struct Overrides: Hashable, Sendable {
        package var connectTimeout: Duration?
        package var tlsTimeout: Duration?
        package var tcpKeepAlive: Duration?
        package var noHappyEyeballs: Bool?
        package var keepAliveConnections: Int?
        package var keepAliveTimeout: Duration?
        package var httpHostHeader: String?
        package var originServerName: String?
        package var matchSNItoHost: Bool?
        package var caPool: String?
        package var noTLSVerify: Bool?
        package var disableChunkedEncoding: Bool?
        package var http2Origin: Bool?
        package var bastionMode: Bool?
        package var bastionAllow: DestinationAllowList?
        package var proxyType: String?
        package var proxyAddress: String?
        package var proxyPort: Int?
        package var ipRules: [IPRule]?
        package var access: AccessRequirement?

        package init() {}
    }

    /// One of `ipRules`: the first whose block and port meet decides.
    package struct IPRule: Hashable, Sendable {
        package var prefix: IPPrefix
        /// Empty: every port.
        package var ports: [Int]
        package var allow: Bool

        package init(prefix: IPPrefix, ports: [Int] = [], allow: Bool) {
            self.prefix = prefix
            self.ports = ports
            self.allow = allow
        }
    }

    /// `access`: the assertion of an Access team that requests must carry, checked by the connector.
    package struct AccessRequirement: Hashable, Sendable {
        package var required: Bool
        package var teamName: String
        /// The applications whose assertions count; none: nobody's do.
        package var audTag: [String]
        /// `fed` is a domain of its own.
        package var environment: String
        /// The team domain of a self-hosted edge, such as `https://acme.site.test:8443`, in place of a team name.
        package var issuer: String?
        /// A file of further authorities for the certificate of the team domain.
        package var caPool: String?
        /// The place where it stands does not say whether it is required.
        var leavesRequired = false

        /// With what the level above says where this one says nothing: a rule that names its own audience keeps the check.
        func completed(by above: AccessRequirement?) -> AccessRequirement {
            guard leavesRequired, let above else { return self }
            var result = self
            result.leavesRequired = above.leavesRequired
            result.required = above.required
            if teamName.isEmpty, issuer == nil {
                result.teamName = above.teamName
                result.issuer = above.issuer
                result.environment = environment.isEmpty ? above.environment : environment
            }
            if audTag.isEmpty { result.audTag = above.audTag }
            result.caPool = caPool ?? above.caPool
            return result
        }

        package init(
            required: Bool, teamName: String, audTag: [String], environment: String, issuer: String? = nil,
            caPool: String? = nil
        ) {
            self.required = required
            self.teamName = teamName
            self.audTag = audTag
            self.environment = environment
            self.issuer = issuer
            self.caPool = caPool
        }

        /// What assertions must name as their issuer, below which the keys are. Nil: no team is named, or not so that it
        /// can only be a host.
        package var issuerURL: String? {
            if let issuer { return Self.checked(issuer) }
            let name = teamName.lowercased()
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isLabelByte) else { return nil }
            return "https://\(name).\(environment == "fed" ? "fed." : "")cloudflareaccess.com"
        }

        private static func checked(_ issuer: String) -> String? {
            do {
                let url = try URLText(issuer)
                _ = try url.portNumber()
                guard issuer.hasPrefix("https://"), !url.hasUserInfo, !url.host.isEmpty, !url.host.contains("%"),
                    url.path.isEmpty || url.path == "/", url.query == nil, url.fragment == nil
                else { return nil }
                return issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
            } catch {
                return nil
            }
        }

        private static func isLabelByte(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }

        /// Throws when nobody could ever be let in, or nobody knows by whom.
        fileprivate func checkServable() throws(ConfigError) {
            guard required else { return }
            guard !audTag.isEmpty else {
                throw ConfigError(
                    "access.required: true without audTag lets nobody in",
                    suggestion: "add audTag: [AUD], as cloudflared-edge access app list shows it")
            }
            guard issuerURL != nil else {
                throw ConfigError(
                    issuer == nil
                        ? "access.teamName \(quoted(teamName)) is no team" : "access.issuer is no https://host[:port]",
                    suggestion: "write teamName: acme, or for your own edge issuer: https://acme.example.com")
            }
        }
    }
}

extension OriginRequest {
    /// What `ipRules` say of an address, without brackets: the first rule that meets it decides, none refuses it.
    ///
    /// The unspecified address, by which Linux means itself, is refused whatever they say: a rule against loopback must
    /// not be passed by that.
    package func ipRulesAllow(_ text: String, port: Int) -> Bool {
        guard let address = IPAddress(text)?.unmapped, address.bits != 0 else { return false }
        let rule = ipRules.first { rule in
            rule.prefix.unmapped.contains(address) && (rule.ports.isEmpty || rule.ports.contains(port))
        }
        return rule?.allow ?? false
    }

    /// Throws when serving `service` with these options would leave out a check that was asked for.
    ///
    /// Every way to a running rule goes through here: the configuration file and the command line.
    package func checkServable(_ service: OriginService) throws(ConfigError) {
        try access?.checkServable()
        if service == .bastion, bastionAllow == nil {
            throw ConfigError(
                "the bastion has no allow-list, so every machine that this host can reach would be open",
                suggestion:
                    "list its destinations: --bastion-allow rdpserver:3389, or bastion: {allow: [\"rdpserver:3389\"]}")
        }
    }
}

extension String {
    fileprivate var nilIfEmpty: String? { isEmpty ? nil : self }
}
