import Yams

/// Rules and their options. Each rule is checked in the official order: service, access, hostname, whether it may match
/// everything, path.
extension ConfigReader {
    private static let ruleKeys = ["hostname", "path", "service", "originRequest", "bastion"]
    private static let mostRules = 10_000

    mutating func ingress(_ entry: Entry, global: OriginRequest.Overrides) throws(ConfigError) -> [IngressRule] {
        guard let sequence = entry.value.sequence else { throw wrongType(entry, "a list of rules") }
        guard !sequence.isEmpty else {
            throw error(
                "the list has no rules", at: entry, suggestion: "add at least: - service: http_status:404")
        }
        guard sequence.count <= Self.mostRules else { throw error("the list has more than 10000 rules", at: entry) }
        var rules: [IngressRule] = []
        for (index, node) in sequence.enumerated() {
            let item = Entry(name: "", value: node, key: "ingress[\(index)]", line: node.mark?.line ?? entry.line)
            rules.append(try rule(item, global: global, number: index + 1, isLast: index == sequence.count - 1))
        }
        return rules
    }

    private mutating func rule(
        _ entry: Entry, global: OriginRequest.Overrides, number: Int, isLast: Bool
    ) throws(ConfigError) -> IngressRule {
        var fields: [String: Entry] = [:]
        for field in try entries(of: entry.value, key: entry.key, line: entry.line) {
            guard Self.ruleKeys.contains(field.name) else {
                warnUnknown(field, known: Self.ruleKeys)
                continue
            }
            if !isNull(field.value) { fields[field.name] = field }
        }
        var own = OriginRequest.Overrides()
        if let field = fields["originRequest"] { own = try originRequest(field) }
        if let field = fields["bastion"] {
            own.bastionAllow = try allowList(try bastionAllow(field), key: field.key + ".allow", line: field.line)
        }
        let request = OriginRequest().applying(global).applying(own)

        let service = try service(fields["service"], of: entry, request)
        do {
            try request.checkServable(service)
        } catch {
            throw error.located(file: path, line: entry.line, key: "\(entry.key) (\(service))")
        }
        if service == .socksProxy, request.ipRules.isEmpty {
            warn(entry, "the SOCKS proxy reaches nothing without ipRules in originRequest")
        }
        for key in own.ineffectiveKeys(for: service) {
            let line = fields["originRequest"]?.line
            warnings.append(
                ConfigWarning(
                    file: path, line: line, key: "\(entry.key).originRequest.\(key)",
                    message: "has no effect for the service \(service)"))
        }
        let hostname = try hostname(fields["hostname"])
        try checkReach(entry, fields, hasHostname: hostname != nil, number: number, isLast: isLast)
        let pattern = try pathPattern(fields["path"], number: number)
        return IngressRule(hostname: hostname, path: pattern, service: service, originRequest: request)
    }

    private mutating func service(
        _ field: Entry?, of rule: Entry, _ request: OriginRequest
    ) throws(ConfigError) -> OriginService {
        if request.bastionMode { return .bastion }
        guard let field else {
            throw error(
                "the rule has no service", at: rule, suggestion: "add for example service: http://localhost:8080")
        }
        do {
            return try .parse(try string(field))
        } catch {
            throw error.located(file: path, line: field.value.mark?.line ?? field.line, key: field.key)
        }
    }

    private mutating func hostname(_ field: Entry?) throws(ConfigError) -> HostnamePattern? {
        guard let field else { return nil }
        let pattern: HostnamePattern?
        do {
            pattern = try HostnamePattern(try string(field))
        } catch {
            throw error.located(file: path, line: field.value.mark?.line ?? field.line, key: field.key)
        }
        if let pattern, pattern.neverMatches {
            warn(field, "matches no host: write *.\(pattern.text.drop { $0 == "*" || $0 == "." }) for subdomains")
        }
        return pattern
    }

    private func checkReach(
        _ entry: Entry, _ fields: [String: Entry], hasHostname: Bool, number: Int, isLast: Bool
    ) throws(ConfigError) {
        let hasPath = !(fields["path"]?.value.scalar?.string.isEmpty ?? true)
        let matchesEverything = !hasHostname && !hasPath
        if isLast, !matchesEverything {
            throw error(
                "the last rule must match all requests, and Rule #\(number) is limited to a hostname or path",
                at: entry,
                suggestion: "add a final rule: - service: http_status:404")
        }
        if !isLast, matchesEverything {
            throw error(
                "Rule #\(number) matches everything, so the rules after it are never reached", at: entry,
                suggestion: "give it a hostname or move it to the end")
        }
    }

    private mutating func pathPattern(_ field: Entry?, number: Int) throws(ConfigError) -> PathPattern? {
        guard let field else { return nil }
        let text = try string(field)
        guard !text.isEmpty else { return nil }
        do {
            return try PathPattern(text)
        } catch {
            var copy = error
            copy.problem = "Rule #\(number) has an invalid path: " + error.problem
            throw copy.located(file: path, line: field.value.mark?.line ?? field.line, key: field.key)
        }
    }
}
