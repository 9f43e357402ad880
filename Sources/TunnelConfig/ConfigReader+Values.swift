package import Yams

/// Typed values. A wrong type is an error that says what was expected and found, never a guess; the one exception is a
/// number or a truth value where a string is wanted, which is taken as its text with a notice.
extension ConfigReader {
    mutating func flagValue(_ entry: Entry, _ kind: ConfigKeys.Kind) throws(ConfigError) -> ConfigFile.FlagValue {
        switch kind {
        case .string: .string(try string(entry))
        case .path: .string(resolved(try string(entry)))
        case .secret: .string(try string(entry, isSecret: true))
        case .bool: .bool(try bool(entry))
        case .int: .int(try int(entry))
        case .duration: .duration(try duration(entry))
        case .strings: .strings(try strings(entry))
        case .tags: .strings(try tags(entry))
        }
    }

    package mutating func string(_ entry: Entry, isSecret: Bool = false) throws(ConfigError) -> String {
        guard let scalar = entry.value.scalar else { throw wrongType(entry, "a string", isSecret: isSecret) }
        if scalar.style == .plain, looksTyped(scalar.string), !isSecret {
            warn(entry, "is read as the text \(quoted(scalar.string)); put it in quotes to say so")
        }
        return scalar.string
    }

    package func bool(_ entry: Entry) throws(ConfigError) -> Bool {
        guard let scalar = entry.value.scalar, scalar.style == .plain, let value = Self.truth(scalar.string) else {
            throw wrongType(entry, "true or false", suggestion: "write true or false without quotes")
        }
        return value
    }

    package func int(_ entry: Entry) throws(ConfigError) -> Int {
        guard let scalar = entry.value.scalar, scalar.style == .plain, let value = Self.integer(scalar.string) else {
            throw wrongType(entry, "a whole number", suggestion: "write a number without quotes")
        }
        guard value >= 0 else { throw error("\(value) is negative", at: entry, suggestion: "write 0 or more") }
        return value
    }

    package func duration(_ entry: Entry) throws(ConfigError) -> Duration {
        guard let scalar = entry.value.scalar else {
            throw wrongType(entry, "a duration", suggestion: "write for example 30s")
        }
        let value: Duration
        do {
            value = try GoDuration.parse(scalar.string)
        } catch {
            throw error.located(file: path, line: entry.value.mark?.line ?? entry.line, key: entry.key)
        }
        guard value >= .zero else {
            throw error("\(scalar.string) is negative", at: entry, suggestion: "write 0s or more")
        }
        return value
    }

    package func strings(_ entry: Entry) throws(ConfigError) -> [String] {
        // A single value is what people mean by it; the official client refuses it.
        if let scalar = entry.value.scalar { return [scalar.string] }
        guard let sequence = entry.value.sequence else { throw wrongType(entry, "a list of strings") }
        var result: [String] = []
        for (index, node) in sequence.enumerated() {
            guard let scalar = node.scalar else {
                let item = Entry(name: "", value: node, key: "\(entry.key)[\(index)]", line: node.mark?.line)
                throw wrongType(item, "a string")
            }
            result.append(scalar.string)
        }
        return result
    }

    /// The entries of a list, under the keys `list[0]`, `list[1]` …
    package func items(_ entry: Entry) throws(ConfigError) -> [Entry] {
        guard let sequence = entry.value.sequence else { throw wrongType(entry, "a list") }
        return sequence.enumerated().map { index, node in
            Entry(name: "", value: node, key: "\(entry.key)[\(index)]", line: node.mark?.line ?? entry.line)
        }
    }

    private func tags(_ entry: Entry) throws(ConfigError) -> [String] {
        guard entry.value.mapping != nil else { return try strings(entry) }
        var result: [String] = []
        for child in try entries(of: entry.value, key: entry.key, line: entry.line) {
            guard let scalar = child.value.scalar else { throw wrongType(child, "a string") }
            result.append("\(child.name)=\(scalar.string)")
        }
        return result
    }

    /// A relative path in the file is relative to the file. `~` is left for whoever opens the path.
    func resolved(_ value: String) -> String {
        guard !value.isEmpty, !value.hasPrefix("/"), value != "~", !value.hasPrefix("~/"),
            let slash = path.lastIndex(of: "/")
        else { return value }
        let directory = path[...slash]
        var rest = Substring(value)
        while rest.hasPrefix("./") { rest = rest.dropFirst(2) }
        return String(directory) + String(rest)
    }

    package func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    func kind(of node: Node) -> String {
        switch node {
        case .mapping: "a map"
        case .sequence: "a list"
        case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : quoted(scalar.string)
        case .alias: "an alias"
        }
    }

    package func error(_ problem: String, at entry: Entry, suggestion: String? = nil) -> ConfigError {
        ConfigError(
            problem, suggestion: suggestion, key: entry.key, file: path, line: entry.value.mark?.line ?? entry.line)
    }

    package func wrongType(
        _ entry: Entry, _ expected: String, suggestion: String? = nil, isSecret: Bool = false
    ) -> ConfigError {
        error(
            "expected \(expected), found \(isSecret ? "something else" : kind(of: entry.value))", at: entry,
            suggestion: suggestion)
    }

    private func looksTyped(_ text: String) -> Bool {
        Self.integer(text) != nil || ["true", "false"].contains(text.lowercased()) || Double(text) != nil
    }

    private static func truth(_ text: String) -> Bool? {
        switch text {
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y": true
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N": false
        default: nil
        }
    }

    /// Go's base-0 syntax: `0x10`, `0b1`, `0o7`, leading 0 octal, underscores between digits.
    private static func integer(_ text: String) -> Int? {
        var digits = Substring(text)
        var sign = ""
        if digits.hasPrefix("-") || digits.hasPrefix("+") { sign = String(digits.removeFirst()) }
        guard let first = digits.utf8.first, (48...57).contains(first), digits.utf8.last != UInt8(ascii: "_") else {
            return nil
        }
        var radix = 10
        let lower = digits.lowercased()
        for (prefix, base) in [("0x", 16), ("0b", 2), ("0o", 8)] where lower.hasPrefix(prefix) {
            radix = base
            digits = digits.dropFirst(2)
        }
        if radix == 10, digits.utf8.count > 1, digits.hasPrefix("0") { radix = 8 }
        return Int(sign + digits.filter { $0 != "_" }, radix: radix)
    }
}
