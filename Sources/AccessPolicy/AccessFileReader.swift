import TunnelConfig
import Yams

/// Reads one `access.yml`. Lives for one `AccessFile.parse`.
struct AccessFileReader {
    typealias Entry = ConfigReader.Entry

    /// Bounds the work that aliases can cause; far above any real file.
    private static let mostNodes = 1_000_000
    private static let deepest = 32

    var values: ConfigReader
    /// Where the things stand that the checks of the whole configuration name by these keys.
    private var lines: [String: Int] = [:]

    let secrets: AccessFile.SecretFiles?

    init(path: String, secrets: AccessFile.SecretFiles? = nil) {
        values = ConfigReader(path: path)
        self.secrets = secrets
    }

    mutating func read(_ text: String) throws(ConfigError) -> AccessFile {
        var file = AccessFile()
        guard let root = try root(text) else { return file }
        let fields = try fields(
            of: root, known: ["session_duration", "identity_providers", "ip_lists", "groups", "applications"])
        file.globalSession = try globalSession(fields)
        file.providers = try each(fields["identity_providers"]) { reader, entry throws(ConfigError) in
            try reader.provider(entry)
        }
        file.lists = try each(fields["ip_lists"]) { reader, entry throws(ConfigError) in try reader.list(entry) }
        file.groups = try each(fields["groups"]) { reader, entry throws(ConfigError) in try reader.group(entry) }
        file.applications = try each(fields["applications"]) { reader, entry throws(ConfigError) in
            try reader.application(entry)
        }
        do {
            try file.check()
        } catch {
            throw error.located(file: values.path, line: line(of: error.key))
        }
        return file
    }

    mutating func read(_ documents: [AccessDocument], isWhole: Bool) throws(ConfigError) -> AccessFile {
        var file = AccessFile()
        for document in documents { try read(document, into: &file) }
        if isWhole { try file.check() }
        return file
    }

    private mutating func read(_ document: AccessDocument, into file: inout AccessFile) throws(ConfigError) {
        values = ConfigReader(path: document.description)
        guard let root = try root(document.json) else {
            throw ConfigError("the document is empty", file: values.path)
        }
        let id: String
        switch document.kind {
        case .application:
            let application = try application(root)
            file.applications.append(application)
            id = application.id
        case .group:
            let group = try group(root)
            file.groups.append(group)
            id = group.id
        case .ipList:
            let list = try list(root)
            file.lists.append(list)
            id = list.id
        case .identityProvider:
            let provider = try provider(root)
            file.providers.append(provider)
            id = provider.id
        case .settings:
            file.globalSession = try globalSession(try fields(of: root, known: ["session_duration"]))
            id = AccessDocument.settingsID
        }
        guard id == document.id else {
            throw ConfigError("the document is kept as \(quoted(document.id))", key: "id", file: values.path)
        }
    }

    /// Nil: nothing is in the text.
    private mutating func root(_ text: String) throws(ConfigError) -> Entry? {
        guard let root = try values.document(text), !values.isNull(root) else { return nil }
        var left = Self.mostNodes
        try bound(root, depth: 0, left: &left)
        return Entry(name: "", value: root, key: "", line: 1)
    }

    private mutating func globalSession(_ fields: [String: Entry]) throws(ConfigError) -> SessionDuration? {
        try fields["session_duration"].map { entry throws(ConfigError) in
            try located(entry, try values.string(entry), SessionDuration.parseGlobal)
        }
    }

    // MARK: Things with a name

    private mutating func list(_ entry: Entry) throws(ConfigError) -> IPList {
        let fields = try fields(of: entry, known: ["id", "name", "prefixes"])
        let id = try identifier(fields, of: entry)
        guard let prefixes = fields["prefixes"] else { throw missing("prefixes", of: entry) }
        return IPList(id: id, prefixes: try blocks(prefixes))
    }

    private mutating func group(_ entry: Entry) throws(ConfigError) -> RuleGroup {
        let fields = try fields(of: entry, known: ["id", "name"] + Self.criteriaKeys)
        let id = try identifier(fields, of: entry)
        lines["groups[\(id)]"] = entry.line
        return RuleGroup(id: id, name: try text(fields["name"]), criteria: try criteria(fields, of: entry))
    }

    private mutating func application(_ entry: Entry) throws(ConfigError) -> AccessApplication {
        let fields = try fields(
            of: entry,
            known: [
                "id", "name", "aud", "type", "domains", "session_duration", "service_auth_401_redirect",
                "read_service_tokens_from_header", "allowed_origins", "destinations", "policies",
            ])
        let id = try identifier(fields, of: entry)
        lines["applications[\(id)]"] = entry.line
        guard let domains = fields["domains"] else { throw missing("domains", of: entry) }
        var application = AccessApplication(
            id: id, name: try text(fields["name"]), audience: try text(fields["aud"]) ?? .audience(ofApplication: id),
            domains: try values.strings(domains).map { text throws(ConfigError) in
                try located(domains, text, ApplicationDomain.parse)
            },
            policies: try each(fields["policies"]) { reader, entry throws(ConfigError) in
                try reader.policy(entry, of: id)
            },
            sessionDuration: try duration(fields["session_duration"]))
        if let kind = fields["type"] { application.kind = try choice(kind) }
        if let field = fields["service_auth_401_redirect"] {
            application.answersServiceAuthWith401 = try values.bool(field)
        }
        application.serviceTokenHeader = try text(fields["read_service_tokens_from_header"])
        if let origins = fields["allowed_origins"] { application.allowedOrigins = try values.strings(origins) }
        application.destinations = try each(fields["destinations"]) { reader, entry throws(ConfigError) in
            try reader.grant(entry)
        }
        return application
    }

    private mutating func policy(_ entry: Entry, of application: String) throws(ConfigError) -> Policy {
        let fields = try fields(
            of: entry, known: ["id", "name", "decision", "precedence", "session_duration"] + Self.criteriaKeys,
            keepsEmpty: true)
        let id = try identifier(fields, of: entry)
        let name = try text(fields["name"]) ?? id
        lines["applications[\(application)].policies[\(name)]"] = entry.line
        guard let decision = fields["decision"] else { throw missing("decision", of: entry) }
        return Policy(
            id: id, name: name, action: try choice(decision),
            precedence: try fields["precedence"].map { field throws(ConfigError) in try values.int(field) } ?? 0,
            criteria: try criteria(fields, of: entry), sessionDuration: try duration(fields["session_duration"]))
    }

    private mutating func grant(_ entry: Entry) throws(ConfigError) -> DestinationGrant {
        let fields = try fields(of: entry, known: ["allow"] + Self.criteriaKeys, keepsEmpty: true)
        guard let allow = fields["allow"] else { throw missing("allow", of: entry) }
        let destinations = try located(allow, try values.strings(allow), DestinationAllowList.init)
        let isForEverybody = Self.criteriaKeys.allSatisfy { fields[$0] == nil }
        return DestinationGrant(
            destinations: destinations, criteria: isForEverybody ? nil : try criteria(fields, of: entry))
    }

    // MARK: Criteria

    private static let criteriaKeys = ["include", "require", "exclude"]

    private mutating func criteria(_ fields: [String: Entry], of entry: Entry) throws(ConfigError) -> Criteria {
        // Conditions that were taken out, with their key left in, must not open to everybody.
        for key in Self.criteriaKeys {
            if let field = fields[key], values.isNull(field.value) {
                throw values.error("has no value", at: field, suggestion: "list its conditions, or remove the key")
            }
        }
        guard let include = fields["include"] else { throw missing("include", of: entry) }
        return Criteria(
            include: try selectors(include), require: try selectors(fields["require"]),
            exclude: try selectors(fields["exclude"]))
    }

    private mutating func selectors(_ entry: Entry?) throws(ConfigError) -> [Selector] {
        try each(entry) { reader, entry throws(ConfigError) in try reader.selector(entry) }
    }

    // MARK: Fields

    /// The fields of a map, none of them unknown; those without a value are left out unless `keepsEmpty`.
    func fields(of entry: Entry, known: [String], keepsEmpty: Bool = false) throws(ConfigError) -> [String: Entry] {
        var result: [String: Entry] = [:]
        for field in try values.entries(of: entry.value, key: entry.key, line: entry.line) {
            guard known.contains(field.name) else {
                throw ConfigError(
                    "is not a known key",
                    suggestion: ConfigKeys.hint(for: field.name, among: known)
                        ?? "known keys are \(known.joined(separator: ", "))", key: field.key, file: values.path,
                    line: field.line)
            }
            if keepsEmpty || !values.isNull(field.value) { result[field.name] = field }
        }
        return result
    }

    func missing(_ key: String, of entry: Entry) -> ConfigError {
        values.error("\(key) is missing", at: entry)
    }

    /// Runs a parser and says where the text stands that it refuses.
    func located<Text, Value>(
        _ entry: Entry, _ text: Text, _ parse: (Text) throws(ConfigError) -> Value
    ) throws(ConfigError) -> Value {
        do {
            return try parse(text)
        } catch {
            throw error.located(file: values.path, line: entry.value.mark?.line ?? entry.line, key: entry.key)
        }
    }

    mutating func text(_ entry: Entry?) throws(ConfigError) -> String? {
        guard let entry else { return nil }
        let text = try values.string(entry)
        guard !text.isEmpty, text.utf8.count <= 1024, text.utf8.allSatisfy(isPrintable) else {
            throw values.error("is empty, too long or not printable", at: entry)
        }
        return text
    }

    private func blocks(_ entry: Entry) throws(ConfigError) -> [IPPrefix] {
        try values.strings(entry).map { text throws(ConfigError) in
            guard let prefix = IPPrefix(text) ?? IPAddress(text).map(IPPrefix.init(single:)) else {
                throw values.error(
                    "\(quoted(text)) is not an address or block", at: entry,
                    suggestion: "write for example 203.0.113.0/24 or 2001:db8::/32")
            }
            return prefix
        }
    }

    mutating func duration(_ entry: Entry?) throws(ConfigError) -> SessionDuration? {
        guard let entry else { return nil }
        return try located(entry, try values.string(entry), SessionDuration.parse)
    }

    mutating func identifier(_ fields: [String: Entry], of entry: Entry) throws(ConfigError) -> String {
        guard let id = try text(fields["id"] ?? fields["name"]) else { throw missing("name", of: entry) }
        return id
    }

    private mutating func choice<Value: RawRepresentable & CaseIterable>(
        _ entry: Entry
    ) throws(ConfigError) -> Value where Value.RawValue == String {
        let text = try values.string(entry)
        guard let value = Value(rawValue: text) else {
            let known = Value.allCases.map(\.rawValue)
            throw values.error(
                "\(quoted(text)) is not known", at: entry,
                suggestion: ConfigKeys.hint(for: text, among: known) ?? "write \(known.joined(separator: ", "))")
        }
        return value
    }

    private mutating func each<Value>(
        _ entry: Entry?, _ read: (inout Self, Entry) throws(ConfigError) -> Value
    ) throws(ConfigError) -> [Value] {
        guard let entry else { return [] }
        var result: [Value] = []
        for item in try values.items(entry) { result.append(try read(&self, item)) }
        return result
    }

    // MARK: The document

    /// Walks the document as its aliases spread it out, and stops where it gets too large.
    private func bound(_ node: Node, depth: Int, left: inout Int) throws(ConfigError) {
        left -= 1
        guard left > 0, depth < Self.deepest else {
            throw ConfigError(
                "the file holds too much or nests too deeply", file: values.path, line: node.mark?.line)
        }
        if let mapping = node.mapping {
            for (_, value) in mapping { try bound(value, depth: depth + 1, left: &left) }
        } else if let sequence = node.sequence {
            for value in sequence { try bound(value, depth: depth + 1, left: &left) }
        }
    }

    /// The line of the innermost thing around `key` whose line is known.
    private func line(of key: String?) -> Int? {
        var rest = key.map { $0[...] }
        while let key = rest {
            if let line = lines[String(key)] { return line }
            rest = key.lastIndex(of: ".").map { key[..<$0] }
        }
        return nil
    }
}
