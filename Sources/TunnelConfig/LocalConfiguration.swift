/// What connection 0 of a locally managed tunnel tells the edge after it registered (tunnel-protocol.md, section 5.5).
package enum LocalConfiguration {
    /// The flags that are worth telling, in the order they are written.
    package static let flagNames = [
        "autoupdate-freq", "no-autoupdate", "retries", "protocol", "loglevel", "transport-loglevel", "origincert",
        "metrics", "metrics-update-freq", "edge-ip-version", "edge-bind-address", "max-active-flows",
    ]

    /// UTF-8 JSON. `flags` are the given ones, by name and as text; others than `flagNames` are left out. Rules hold only
    /// what differs from the defaults, with inherited options folded in; durations are seconds.
    package static func json(
        rules: [IngressRule], flags: [String: String] = [:], warpRouting: ConfigFile.WarpRouting = .init()
    ) -> [UInt8] {
        var members: [(String, JSONText)] = []
        let given = flagNames.sorted().compactMap { name in flags[name].map { (name, JSONText.string($0)) } }
        if !given.isEmpty { members.append(("__configuration_flags", .object(given))) }
        members.append(("ingress", .array(rules.map(json))))
        members.append(("warp-routing", .object(Self.members(of: warpRouting))))
        return Array(JSONText.object(members).text.utf8)
    }

    static func members(of warpRouting: ConfigFile.WarpRouting) -> [(String, JSONText)] {
        var warp: [(String, JSONText)] = []
        if let value = warpRouting.connectTimeout { warp.append(("connectTimeout", .seconds(value))) }
        if let value = warpRouting.maxActiveFlows { warp.append(("maxActiveFlows", .integer(value))) }
        if let value = warpRouting.tcpKeepAlive { warp.append(("tcpKeepAlive", .seconds(value))) }
        return warp
    }

    private static func json(_ rule: IngressRule) -> JSONText {
        var members: [(String, JSONText)] = []
        if let hostname = rule.hostname { members.append(("hostname", .string(hostname.text))) }
        if let path = rule.path { members.append(("path", .string(path.text))) }
        members.append(("service", .string(rule.service.description)))
        members.append(("originRequest", .object(options(rule.originRequest))))
        return .object(members)
    }

    private static func options(_ request: OriginRequest) -> [(String, JSONText)] {
        let standard = OriginRequest()
        var members: [(String, JSONText)] = []
        func add<Value: Equatable>(
            _ name: String, _ path: KeyPath<OriginRequest, Value>, _ json: (Value) -> JSONText
        ) {
            if request[keyPath: path] != standard[keyPath: path] {
                members.append((name, json(request[keyPath: path])))
            }
        }
        func text(_ value: String?) -> JSONText { .string(value ?? "") }
        add("connectTimeout", \.connectTimeout, JSONText.seconds)
        add("tlsTimeout", \.tlsTimeout, JSONText.seconds)
        add("tcpKeepAlive", \.tcpKeepAlive, JSONText.seconds)
        add("noHappyEyeballs", \.noHappyEyeballs, JSONText.bool)
        add("keepAliveTimeout", \.keepAliveTimeout, JSONText.seconds)
        add("keepAliveConnections", \.keepAliveConnections, JSONText.integer)
        add("httpHostHeader", \.httpHostHeader, text)
        add("originServerName", \.originServerName, text)
        add("matchSNItoHost", \.matchSNItoHost, JSONText.bool)
        add("caPool", \.caPool, text)
        add("noTLSVerify", \.noTLSVerify, JSONText.bool)
        add("disableChunkedEncoding", \.disableChunkedEncoding, JSONText.bool)
        add("bastionMode", \.bastionMode, JSONText.bool)
        add("proxyAddress", \.proxyAddress, JSONText.string)
        add("proxyPort", \.proxyPort, JSONText.integer)
        add("proxyType", \.proxyType, text)
        add("ipRules", \.ipRules) { .array($0.map(json)) }
        add("http2Origin", \.http2Origin, JSONText.bool)
        if let access = request.access {
            members.append(
                (
                    "access",
                    .object([
                        ("required", .bool(access.required)), ("teamName", .string(access.teamName)),
                        ("audTag", .array(access.audTag.map(JSONText.string))),
                    ])
                ))
        }
        return members
    }

    static func json(_ rule: OriginRequest.IPRule) -> JSONText {
        .object([
            ("prefix", .string(rule.prefix.description)), ("ports", .array(rule.ports.map(JSONText.integer))),
            ("allow", .bool(rule.allow)),
        ])
    }
}
