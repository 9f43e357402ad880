import Yams

/// The `forwarders` section.
extension ConfigReader {
    private static let forwarderKeys = [
        "url", "listener", "destination", "serviceTokenID", "serviceTokenSecret", "serviceTokenFile", "caPool",
        "isFedramp",
    ]
    private static let mostForwarders = 1000

    mutating func forwarders(_ entry: Entry) throws(ConfigError) -> [ForwarderEntry] {
        guard let sequence = entry.value.sequence else { throw wrongType(entry, "a list of forwarders") }
        guard sequence.count <= Self.mostForwarders else {
            throw error("the list has more than 1000 entries", at: entry)
        }
        var result: [ForwarderEntry] = []
        for (index, node) in sequence.enumerated() {
            let item = Entry(
                name: "", value: node, key: "\(entry.key)[\(index)]", line: node.mark?.line ?? entry.line)
            let forwarder = try forwarder(item)
            // Port 0 is another port each time.
            if forwarder.listener.port != 0, result.contains(where: { $0.listener == forwarder.listener }) {
                throw error(
                    "\(forwarder.listener) is the listener of two entries", at: item,
                    suggestion: "give each its own port")
            }
            result.append(forwarder)
        }
        return result
    }

    private mutating func forwarder(_ entry: Entry) throws(ConfigError) -> ForwarderEntry {
        var fields: [String: Entry] = [:]
        for field in try entries(of: entry.value, key: entry.key, line: entry.line) {
            guard Self.forwarderKeys.contains(field.name) else {
                warnUnknown(field, known: Self.forwarderKeys)
                continue
            }
            if !isNull(field.value) { fields[field.name] = field }
        }
        guard let url = fields["url"] else {
            throw error("url is missing", at: entry, suggestion: "write for example url: https://rdp.site.com")
        }
        guard let listener = fields["listener"] else {
            throw error("listener is missing", at: entry, suggestion: "write for example listener: localhost:2244")
        }
        let address = try string(url)
        let place = try string(listener)
        guard !address.lowercased().hasPrefix("http://") else {
            throw error("http would send what is forwarded in clear", at: url, suggestion: "write https://")
        }
        var result = ForwarderEntry(
            hostname: try located(url) { () throws(ConfigError) in try .parse(address) },
            listener: try located(listener) { () throws(ConfigError) in try .parse(place) })
        if let field = fields["destination"] {
            let text = try string(field)
            result.destination = try located(field) { () throws(ConfigError) in try .parse(text) }
        }
        result.serviceTokenID = try text(fields["serviceTokenID"])
        result.serviceTokenSecret = try text(fields["serviceTokenSecret"], isSecret: true)
        result.serviceTokenFile = try text(fields["serviceTokenFile"]).map(resolved)
        result.caPool = try text(fields["caPool"]).map(resolved)
        return result
    }

    private mutating func text(_ entry: Entry?, isSecret: Bool = false) throws(ConfigError) -> String? {
        guard let entry else { return nil }
        let text = try string(entry, isSecret: isSecret)
        return text.isEmpty ? nil : text
    }

    private func located<Value>(
        _ entry: Entry, _ read: () throws(ConfigError) -> Value
    ) throws(ConfigError) -> Value {
        do {
            return try read()
        } catch {
            throw error.located(file: path, line: entry.value.mark?.line ?? entry.line, key: entry.key)
        }
    }
}
