import Yams

/// `originRequest`, of the file or of a rule.
extension ConfigReader {
    private static let keys = [
        "connectTimeout", "tlsTimeout", "tcpKeepAlive", "noHappyEyeballs", "keepAliveConnections", "keepAliveTimeout",
        "httpHostHeader", "originServerName", "matchSNItoHost", "caPool", "noTLSVerify", "disableChunkedEncoding",
        "http2Origin", "bastionMode", "bastion", "proxyType", "proxyAddress", "proxyPort", "ipRules", "access",
    ]

    mutating func originRequest(_ entry: Entry) throws(ConfigError) -> OriginRequest.Overrides {
        var result = OriginRequest.Overrides()
        for field in try entries(of: entry.value, key: entry.key, line: entry.line) {
            guard !isNull(field.value) else { continue }
            switch field.name {
            case "connectTimeout": result.connectTimeout = try duration(field)
            case "tlsTimeout": result.tlsTimeout = try duration(field)
            case "tcpKeepAlive": result.tcpKeepAlive = try duration(field)
            case "noHappyEyeballs": result.noHappyEyeballs = try bool(field)
            case "keepAliveConnections": result.keepAliveConnections = try int(field)
            case "keepAliveTimeout": result.keepAliveTimeout = try duration(field)
            case "httpHostHeader": result.httpHostHeader = try string(field)
            case "originServerName": result.originServerName = try string(field)
            case "matchSNItoHost": result.matchSNItoHost = try bool(field)
            case "caPool": result.caPool = resolved(try string(field))
            case "noTLSVerify": result.noTLSVerify = try bool(field)
            case "disableChunkedEncoding": result.disableChunkedEncoding = try bool(field)
            case "http2Origin": result.http2Origin = try bool(field)
            case "bastionMode": result.bastionMode = try bool(field)
            case "bastion":
                result.bastionAllow = try allowList(
                    try bastionAllow(field), key: field.key + ".allow", line: field.line)
            case "proxyType": result.proxyType = try proxyType(field)
            case "proxyAddress": result.proxyAddress = try string(field)
            case "proxyPort": result.proxyPort = try int(field)
            case "ipRules": result.ipRules = try ipRules(field)
            case "access": result.access = try access(field)
            default: warnUnknown(field, known: Self.keys)
            }
        }
        return result
    }

    /// The texts under `bastion: {allow: […]}`.
    mutating func bastionAllow(_ entry: Entry) throws(ConfigError) -> [String] {
        var texts: [String]?
        for field in try entries(of: entry.value, key: entry.key, line: entry.line) {
            if field.name == "allow" {
                texts = isNull(field.value) ? [] : try strings(field)
            } else {
                warnUnknown(field, known: ["allow"])
            }
        }
        guard let texts else {
            throw error(
                "the allow-list is missing", at: entry, suggestion: "write bastion: {allow: [\"rdpserver:3389\"]}")
        }
        if texts.isEmpty { _ = try allowList([], key: entry.key + ".allow", line: entry.line) }
        return texts
    }

    func allowList(_ texts: [String], key: String, line: Int?) throws(ConfigError) -> DestinationAllowList {
        do {
            return try DestinationAllowList(texts)
        } catch {
            throw error.located(file: path, line: line, key: key)
        }
    }

    private mutating func proxyType(_ entry: Entry) throws(ConfigError) -> String {
        let value = try string(entry)
        guard ["", "socks"].contains(value) else {
            throw error("\(quoted(value)) is not a proxy type", at: entry, suggestion: "remove the key")
        }
        return value
    }

    private mutating func access(_ entry: Entry) throws(ConfigError) -> OriginRequest.AccessRequirement {
        var result = OriginRequest.AccessRequirement(required: false, teamName: "", audTag: [], environment: "")
        result.leavesRequired = true
        for field in try entries(of: entry.value, key: entry.key, line: entry.line) where !isNull(field.value) {
            switch field.name {
            case "required":
                result.required = try bool(field)
                result.leavesRequired = false
            case "teamName": result.teamName = try string(field)
            case "audTag": result.audTag = try strings(field)
            case "environment": result.environment = try string(field)
            case "issuer": result.issuer = try string(field)
            case "caPool": result.caPool = resolved(try string(field))
            default:
                warnUnknown(
                    field, known: ["required", "teamName", "audTag", "environment", "issuer", "caPool"])
            }
        }
        if result.required, !result.audTag.isEmpty, result.teamName.isEmpty, result.issuer == nil {
            throw error(
                "the team name must not be blank", at: entry, suggestion: "add teamName, or issuer for your own edge")
        }
        return result
    }

    private mutating func ipRules(_ entry: Entry) throws(ConfigError) -> [OriginRequest.IPRule] {
        guard let sequence = entry.value.sequence else { throw wrongType(entry, "a list of rules") }
        var result: [OriginRequest.IPRule] = []
        for (index, node) in sequence.enumerated() {
            let item = Entry(name: "", value: node, key: "\(entry.key)[\(index)]", line: node.mark?.line ?? entry.line)
            result.append(try ipRule(item))
        }
        return result
    }

    private mutating func ipRule(_ entry: Entry) throws(ConfigError) -> OriginRequest.IPRule {
        var prefix: IPPrefix?
        var ports: [Int] = []
        var allow = false
        for field in try entries(of: entry.value, key: entry.key, line: entry.line) where !isNull(field.value) {
            switch field.name {
            case "prefix": prefix = IPPrefix(try string(field))
            case "allow": allow = try bool(field)
            case "ports":
                for text in try strings(field) {
                    guard let port = PortText.parse(text) else {
                        throw error("cannot create the ip rule: \(quoted(text)) is not a port", at: field)
                    }
                    ports.append(port)
                }
            default: warnUnknown(field, known: ["prefix", "ports", "allow"])
            }
        }
        guard let prefix else {
            throw error(
                "cannot create the ip rule: it has no valid prefix", at: entry, suggestion: "write prefix: 10.0.0.0/8")
        }
        return OriginRequest.IPRule(prefix: prefix, ports: ports, allow: allow)
    }
}

extension OriginRequest.Overrides {
    /// The keys set here that do nothing for `service`, by their names in the file.
    package func ineffectiveKeys(for service: OriginService) -> [String] {
        var keys: [String] = []
        let isHTTP: Bool
        let isTLS: Bool
        switch service {
        case .http(_, _, let tls), .unix(_, let tls): (isHTTP, isTLS) = (true, tls)
        default: (isHTTP, isTLS) = (false, false)
        }
        let isTCP = if case .tcp = service { true } else { false }
        func note(_ name: String, _ isSet: Bool, unless applies: Bool) {
            if isSet, !applies { keys.append(name) }
        }
        note("tlsTimeout", tlsTimeout != nil, unless: isTLS)
        note("originServerName", originServerName != nil, unless: isTLS)
        note("matchSNItoHost", matchSNItoHost != nil, unless: isTLS)
        note("caPool", caPool != nil, unless: isTLS)
        note("noTLSVerify", noTLSVerify != nil, unless: isTLS)
        note("http2Origin", http2Origin != nil, unless: isTLS)
        note("noHappyEyeballs", noHappyEyeballs != nil, unless: isHTTP)
        note("keepAliveConnections", keepAliveConnections != nil, unless: isHTTP)
        note("keepAliveTimeout", keepAliveTimeout != nil, unless: isHTTP)
        note("httpHostHeader", httpHostHeader != nil, unless: isHTTP)
        note("disableChunkedEncoding", disableChunkedEncoding != nil, unless: isHTTP)
        note("bastion", bastionAllow != nil, unless: service == .bastion)
        note("proxyType", proxyType == "socks", unless: isTCP || service == .bastion)
        note("proxyAddress", proxyAddress != nil, unless: false)
        note("proxyPort", proxyPort != nil, unless: false)
        note("ipRules", ipRules != nil, unless: service == .socksProxy)
        return keys
    }
}
