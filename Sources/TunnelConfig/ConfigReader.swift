package import Yams

/// Reads one configuration file. Lives for one `parse`; collects the warnings on the way.
///
/// Its typed values serve other files in YAML as well.
package struct ConfigReader {
    /// A key and its value with the place where it stands.
    package struct Entry {
        package var name: String
        package var value: Node
        /// `ingress[0].service`
        package var key: String
        package var line: Int?

        package init(name: String, value: Node, key: String, line: Int?) {
            self.name = name
            self.value = value
            self.key = key
            self.line = line
        }
    }

    /// Far above any real file; bounds the work that aliases and merges can cause.
    private static let longestFile = 4 << 20
    private static let mostEntries = 20_000

    package let path: String
    var warnings: [ConfigWarning] = []

    package init(path: String) { self.path = path }

    mutating func read(_ yaml: String) throws(ConfigError) -> ConfigFile {
        var file = ConfigFile(path: path)
        guard let root = try document(yaml), !isNull(root) else {
            warnings.append(ConfigWarning(file: path, line: nil, key: "config", message: "the file is empty"))
            file.warnings = warnings
            return file
        }
        var sections: [String: Entry] = [:]
        for entry in try entries(of: root, key: "", line: 1) {
            if let flag = ConfigKeys.flags[entry.name] {
                if isNull(entry.value) {
                    warn(entry, "has no value and is ignored")
                } else {
                    file.flags[entry.name] = try flagValue(entry, flag.kind)
                }
            } else if ConfigKeys.sections.contains(entry.name) {
                sections[entry.name] = entry
            } else if ConfigKeys.serviceMode.contains(entry.name) {
                warn(entry, "has no effect; the log's keys are loglevel, logfile and log-directory")
            } else {
                warnUnknown(entry, known: Array(ConfigKeys.flags.keys) + ConfigKeys.sections)
            }
        }
        try checkFlags(file, entryLines: lines(of: root))
        try readSections(sections, into: &file)
        file.warnings = warnings
        return file
    }

    private mutating func readSections(_ sections: [String: Entry], into file: inout ConfigFile) throws(ConfigError) {
        var global = OriginRequest.Overrides()
        if let entry = sections["originRequest"], !isNull(entry.value) {
            global = try originRequest(entry)
        }
        let hasIngress = sections["ingress"].map { !isNull($0.value) } ?? false
        if let entry = sections["bastion"], !isNull(entry.value) {
            if entry.value.mapping != nil {
                file.bastionAllow = try bastionAllow(entry)
                if !hasIngress { file.bastion = true }
            } else {
                file.bastion = try bool(entry)
            }
        }
        if let list = file.strings("bastion-allow") {
            guard file.bastionAllow.isEmpty else {
                throw ConfigError(
                    "the allow-list is given twice", suggestion: "keep either bastion: {allow: …} or bastion-allow",
                    key: "bastion-allow", file: path)
            }
            file.bastionAllow = list
            if list.isEmpty { _ = try allowList([], key: "bastion-allow", line: nil) }
        }
        if !file.bastionAllow.isEmpty {
            let key = sections["bastion"]?.value.mapping != nil ? "bastion.allow" : "bastion-allow"
            let list = try allowList(file.bastionAllow, key: key, line: sections["bastion"]?.line)
            if global.bastionAllow == nil { global.bastionAllow = list }
        }
        file.originRequest = OriginRequest().applying(global)
        if let entry = sections["warp-routing"], !isNull(entry.value) {
            file.warpRouting = try warpRouting(entry)
        }
        if let entry = sections["forwarders"], !isNull(entry.value) { file.forwarders = try forwarders(entry) }
        if let entry = sections["ingress"], hasIngress {
            file.ingress = try ingress(entry, global: global)
            warnUnusedOriginFlags(file)
        } else {
            if let entry = sections["ingress"] { warn(entry, "has no rules and is ignored") }
            try checkImplied(file, global: sections["originRequest"])
        }
    }

    /// Without rules the command line may still name the origin, so only what can never be right is refused here.
    private mutating func checkImplied(_ file: ConfigFile, global: Entry?) throws(ConfigError) {
        if let access = file.originRequest.access, access.required {
            do {
                try file.originRequest.checkServable(.helloWorld)
            } catch {
                throw error.located(file: path, line: global?.line, key: "originRequest.access.required")
            }
        }
        guard let url = file.url else { return }
        let service: OriginService
        do {
            service = try .parseURLFlag(url)
        } catch {
            throw error.located(file: path, key: "url")
        }
        let useless = file.originFlags.ineffectiveKeys(for: service)
        let flagNames = [
            "originServerName": "origin-server-name", "caPool": "origin-ca-pool", "noTLSVerify": "no-tls-verify",
            "http2Origin": "http2-origin", "tlsTimeout": "proxy-tls-timeout", "httpHostHeader": "http-host-header",
            "keepAliveConnections": "proxy-keepalive-connections", "keepAliveTimeout": "proxy-keepalive-timeout",
            "disableChunkedEncoding": "no-chunked-encoding", "noHappyEyeballs": "proxy-no-happy-eyeballs",
        ]
        for key in useless {
            let flag = flagNames[key] ?? key
            warnings.append(
                ConfigWarning(file: path, line: nil, key: flag, message: "has no effect for the service \(service)"))
        }
    }

    private mutating func warnUnusedOriginFlags(_ file: ConfigFile) {
        for name in ["url", "unix-socket", "hello-world", "bastion"] {
            let isSet = name == "bastion" ? file.bastion == true : file.flags[name] != nil
            if isSet {
                warnings.append(
                    ConfigWarning(
                        file: path, line: nil, key: name, message: "is ignored because the file has ingress rules"))
            }
        }
    }

    private func checkFlags(_ file: ConfigFile, entryLines: [String: Int]) throws(ConfigError) {
        if let grace = file.gracePeriod, grace > .seconds(180) {
            throw ConfigError(
                "\(GoDuration.format(grace)) is more than 3m", suggestion: "write 3m or less", key: "grace-period",
                file: path, line: entryLines["grace-period"])
        }
        if file.haConnections == 0 {
            throw ConfigError(
                "0 connections cannot carry a tunnel", suggestion: "write 1 or more", key: "ha-connections", file: path,
                line: entryLines["ha-connections"])
        }
    }

    private func lines(of root: Node) -> [String: Int] {
        guard let mapping = root.mapping else { return [:] }
        var result: [String: Int] = [:]
        for (key, _) in mapping {
            if let name = key.scalar?.string, let line = key.mark?.line { result[name] = line }
        }
        return result
    }

    private func warpRouting(_ entry: Entry) throws(ConfigError) -> ConfigFile.WarpRouting {
        var result = ConfigFile.WarpRouting()
        for child in try entries(of: entry.value, key: entry.key, line: entry.line) where !isNull(child.value) {
            switch child.name {
            case "connectTimeout": result.connectTimeout = try duration(child)
            case "tcpKeepAlive": result.tcpKeepAlive = try duration(child)
            case "maxActiveFlows": result.maxActiveFlows = try int(child)
            // Private routing was once switched on by it; it is always available now.
            default: continue
            }
        }
        return result
    }

    // MARK: The document

    package func document(_ yaml: String) throws(ConfigError) -> Node? {
        guard yaml.utf8.count <= Self.longestFile else {
            throw ConfigError("the file is longer than 4 MiB", file: path)
        }
        // libYAML hands its own end over as an empty document when a NUL stands in the text.
        if yaml.utf8.contains(0) { throw ConfigError("the file contains a NUL byte", file: path) }
        let first: Node?
        let parser: Parser
        do {
            parser = try Parser(yaml: yaml, encoding: .utf8)
            first = try parser.nextRoot()
        } catch {
            throw located(error)
        }
        let second: Node?
        do {
            second = try parser.nextRoot()
        } catch {
            throw severalDocuments(line: nil)
        }
        if let second { throw severalDocuments(line: second.mark?.line) }
        return first
    }

    private func severalDocuments(line: Int?) -> ConfigError {
        ConfigError(
            "the file holds more than one YAML document", suggestion: "remove the line --- and what follows it",
            file: path,
            line: line)
    }

    private func located(_ error: any Error) -> ConfigError {
        guard let error = error as? YamlError else { return ConfigError("the file is not YAML", file: path) }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return ConfigError(
                "the file is not YAML: \(problem)", suggestion: "check indentation and colons around here", file: path,
                line: mark.line)
        case .reader(let problem, _, _, _):
            return ConfigError("the file is not YAML: \(problem)", suggestion: "save it as UTF-8 text", file: path)
        case .duplicatedKeysInMapping(let duplicates, let context):
            return ConfigError(
                "the key is given twice", suggestion: "remove one of them", key: duplicates.first, file: path,
                line: context.mark.line)
        default:
            return ConfigError("the file is not YAML", file: path)
        }
    }

    /// The pairs of a mapping, with merge keys (`<<`) resolved: what is written here wins over what is merged in.
    package func entries(of node: Node, key: String, line: Int?) throws(ConfigError) -> [Entry] {
        var budget = Self.mostEntries
        return try entries(of: node, key: key, line: line, depth: 0, budget: &budget)
    }

    private func entries(
        of node: Node, key: String, line: Int?, depth: Int, budget: inout Int
    ) throws(ConfigError) -> [Entry] {
        guard let mapping = node.mapping else {
            throw ConfigError(
                "expected a map of keys and values, found \(kind(of: node))", key: key.isEmpty ? nil : key, file: path,
                line: node.mark?.line ?? line)
        }
        guard depth < 16 else { throw ConfigError("merge keys nest too deeply", file: path, line: line) }
        var result: [Entry] = []
        var merged: [Entry] = []
        for (name, value) in mapping {
            budget -= 1
            guard budget > 0 else { throw ConfigError("the file has too many entries", file: path, line: line) }
            guard let text = name.scalar?.string else {
                throw ConfigError("a key is not a word", file: path, line: name.mark?.line ?? line)
            }
            if text == "<<", name.scalar?.style == .plain {
                for source in value.sequence.map(Array.init) ?? [value] {
                    merged += try entries(of: source, key: key, line: line, depth: depth + 1, budget: &budget)
                }
                continue
            }
            let full = key.isEmpty ? text : "\(key).\(text)"
            result.append(Entry(name: text, value: value, key: full, line: name.mark?.line ?? line))
        }
        var seen = Set(result.map(\.name))
        for entry in merged where seen.insert(entry.name).inserted { result.append(entry) }
        return result
    }

    // MARK: Warnings

    mutating func warn(_ entry: Entry, _ message: String) {
        warnings.append(ConfigWarning(file: path, line: entry.line, key: entry.key, message: message))
    }

    mutating func warnUnknown(_ entry: Entry, known: [String]) {
        let guess = ConfigKeys.aliases[entry.name] ?? ConfigKeys.suggestion(for: entry.name, among: known)
        warn(entry, "is not a known key and is ignored" + (guess.map { "; did you mean \($0)?" } ?? ""))
    }
}
