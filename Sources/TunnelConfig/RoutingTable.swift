/// Which rule serves a request. A value: replaced whole when the configuration changes, read without waiting.
package struct RoutingTable: Sendable, Hashable {
    package struct Match: Sendable, Hashable {
        package let rule: IngressRule
        /// Position in the configuration, from 0.
        package let index: Int
    }

    /// In the order they are tried; never empty.
    package let rules: [IngressRule]

    /// Without rules every request gets 503, as the official connector does when nothing is configured.
    package init(rules: [IngressRule]) {
        self.rules = rules.isEmpty ? [IngressRule(service: .httpStatus(503))] : rules
    }

    /// The first rule for a request. `host` is the `Host` or `:authority` value, with or without port; `path` the decoded
    /// path without query. Costs at most the length of the path times the size of the patterns, whatever they are.
    package func match(host: String, path: String) -> Match {
        let name = DomainName.host(ofAuthority: host)
        for (index, rule) in rules.enumerated() {
            if let hostname = rule.hostname, !hostname.matches(name) { continue }
            if let pattern = rule.path, !pattern.matches(path) { continue }
            return Match(rule: rule, index: index)
        }
        // Validated rules end with one that matches everything; a table built by hand may not.
        return Match(rule: IngressRule(service: .httpStatus(404)), index: rules.count)
    }

    /// What the classic command line asks to serve, without an `ingress` list.
    package struct ImpliedOrigin: Sendable, Hashable {
        package var hostname: String?
        package var url: String?
        package var unixSocket: String?
        package var helloWorld = false
        package var bastion = false
        package var bastionAllow: [String] = []
        package var originRequest = OriginRequest()

        package init() {}
    }

    /// The table of the classic form: one rule, tried in the official order `--hello-world`, `--bastion`, `--url`,
    /// `--unix-socket`; nothing of these gives the 503 table. With a hostname the rule serves that host alone and
    /// everything else gets 404.
    package static func implied(_ origin: ImpliedOrigin) throws(ConfigError) -> RoutingTable {
        var request = origin.originRequest
        let service: OriginService
        if origin.helloWorld {
            service = .helloWorld
        } else if origin.bastion || request.bastionMode {
            service = .bastion
            if !origin.bastionAllow.isEmpty {
                do {
                    request.bastionAllow = try DestinationAllowList(origin.bastionAllow)
                } catch {
                    throw error.located(file: nil, key: "bastion-allow")
                }
            }
        } else if let url = origin.url {
            guard origin.unixSocket == nil else {
                throw ConfigError("--url and --unix-socket cannot be used together", suggestion: "remove one of them")
            }
            do { service = try .parseURLFlag(url) } catch { throw error.located(file: nil, key: "url") }
        } else if let socket = origin.unixSocket {
            do {
                service = try .parse("unix:" + socket)
            } catch {
                throw error.located(file: nil, key: "unix-socket")
            }
        } else {
            return RoutingTable(rules: [])
        }
        try request.checkServable(service)
        guard let hostname = origin.hostname, !hostname.isEmpty else {
            return RoutingTable(rules: [IngressRule(service: service, originRequest: request)])
        }
        let pattern: HostnamePattern?
        do { pattern = try HostnamePattern(hostname) } catch { throw error.located(file: nil, key: "hostname") }
        let rule = IngressRule(hostname: pattern, service: service, originRequest: request)
        guard pattern != nil else { return RoutingTable(rules: [rule]) }
        return RoutingTable(rules: [rule, IngressRule(service: .httpStatus(404))])
    }
}
