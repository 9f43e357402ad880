extension LocalConfiguration {
    /// The answer of `/config`: the rules in force with every option, inherited ones and defaults included. Durations are
    /// seconds, version -1 says that they come from here. JSON; a password in a service's address is masked.
    package static func report(
        rules: [IngressRule], defaults: OriginRequest, warpRouting: ConfigFile.WarpRouting = .init()
    ) -> String {
        let config: [(String, JSONText)] = [
            ("ingress", .array(rules.map(everything))), ("warp-routing", .object(members(of: warpRouting))),
            ("originRequest", everything(defaults)),
        ]
        return JSONText.object([("version", .integer(-1)), ("config", .object(config))]).text
    }

    private static func everything(_ rule: IngressRule) -> JSONText {
        .object([
            ("hostname", .string(rule.hostname?.text ?? "")), ("path", rule.path.map { .string($0.text) } ?? .null),
            ("service", .string(withoutPassword(rule.service.description))), ("Handlers", .null),
            ("originRequest", everything(rule.originRequest)),
        ])
    }

    private static func everything(_ request: OriginRequest) -> JSONText {
        var access: [(String, JSONText)] = []
        if request.access?.required ?? false { access.append(("required", .bool(true))) }
        access.append(("teamName", .string(request.access?.teamName ?? "")))
        access.append(("audTag", request.access.map { .array($0.audTag.map(JSONText.string)) } ?? .null))
        return .object([
            ("connectTimeout", .seconds(request.connectTimeout)), ("tlsTimeout", .seconds(request.tlsTimeout)),
            ("tcpKeepAlive", .seconds(request.tcpKeepAlive)), ("noHappyEyeballs", .bool(request.noHappyEyeballs)),
            ("keepAliveTimeout", .seconds(request.keepAliveTimeout)),
            ("keepAliveConnections", .integer(request.keepAliveConnections)),
            ("httpHostHeader", .string(request.httpHostHeader ?? "")),
            ("originServerName", .string(request.originServerName ?? "")),
            ("matchSNItoHost", .bool(request.matchSNItoHost)), ("caPool", .string(request.caPool ?? "")),
            ("noTLSVerify", .bool(request.noTLSVerify)),
            ("disableChunkedEncoding", .bool(request.disableChunkedEncoding)),
            ("bastionMode", .bool(request.bastionMode)), ("proxyAddress", .string(request.proxyAddress)),
            ("proxyPort", .integer(request.proxyPort)), ("proxyType", .string(request.proxyType ?? "")),
            ("ipRules", request.ipRules.isEmpty ? .null : .array(request.ipRules.map(json))),
            ("http2Origin", .bool(request.http2Origin)), ("access", .object(access)),
        ])
    }

    /// `http://user:password@host` without what stands before the host.
    private static func withoutPassword(_ service: String) -> String {
        guard let slashes = service.firstRange(of: "://") else { return service }
        let authority = service[slashes.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let at = authority.lastIndex(of: "@") else { return service }
        return service[..<slashes.upperBound] + "*****" + service[at...]
    }
}
