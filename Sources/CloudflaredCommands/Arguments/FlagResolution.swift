import ServiceHost

/// A value of the configuration file, as text: what it means is decided by the flag it stands for.
enum ConfiguredValue: Sendable, Hashable {
    case scalar(String)
    case list([String])
}

/// The values that a command works with: command line, else environment, else configuration file, else the command's
/// default.
///
/// Pure. Source: cli-and-config.md section 1.3.
struct FlagResolution: Sendable {
    enum Source: Sendable, Equatable {
        case commandLine
        case environment(String)
        case configuration

        var isCommandLine: Bool { self == .commandLine }
    }

    struct Value: Sendable {
        var definition: FlagDefinition
        var texts: [String]
        var source: Source
    }

    /// By flag, only those that the command takes and that have a value.
    private(set) var values: [String: Value] = [:]
    private(set) var warnings: [String] = []
    /// What the command gets as positional arguments.
    let arguments: [String]

    /// - Parameter configured: the top-level keys of the configuration file, nil when there is none.
    init(
        _ invocation: ArgumentNormalizer.Invocation, environment: [String: String],
        configured: [String: ConfiguredValue]? = nil
    ) throws(CommandError) {
        arguments = invocation.arguments
        var configuredInVain: [String] = []
        for definition in Self.definitions(of: invocation) {
            if let given = invocation.given[definition.id] {
                values[definition.id] = Value(definition: definition, texts: given.values, source: .commandLine)
                if given.isShadowing {
                    warnings.append("\(definition.display) is given at two levels; the innermost value is used")
                }
                continue
            }
            if definition.group == .ignored {
                if let key = definition.names.first, configured?[key] != nil { configuredInVain.append(key) }
                continue
            }
            if let name = definition.environment.first(where: { environment[$0] != nil }) {
                // An empty variable means the default, and the configuration file is not asked.
                if let text = environment[name], !text.isEmpty {
                    let texts = try Self.environmentTexts(text, definition, name)
                    values[definition.id] = Value(definition: definition, texts: texts, source: .environment(name))
                }
                continue
            }
            guard definition.isConfigurable, let key = definition.names.first, let value = configured?[key] else {
                continue
            }
            let texts = try Self.configuredTexts(value, definition, key).filter { !$0.isEmpty }
            guard !texts.isEmpty else { continue }
            values[definition.id] = Value(definition: definition, texts: texts, source: .configuration)
        }
        warnAboutSecrets()
        warnAboutIgnored(configuredInVain)
    }

    /// One line for all of them.
    private mutating func warnAboutIgnored(_ configured: [String]) {
        let given = values.values.filter { $0.definition.group == .ignored }.compactMap(\.definition.names.first)
        let names = Set(given + configured).subtracting(TunnelFlags.fulfilled)
        guard !names.isEmpty else { return }
        warnings.append("Without effect in this version: \(names.sorted().joined(separator: ", "))")
    }

    /// Own flags, and those of outer levels whose group the command takes; the inner definition counts.
    static func definitions(of invocation: ArgumentNormalizer.Invocation) -> [FlagDefinition] {
        var known: Set<String> = []
        var result: [FlagDefinition] = []
        let command = invocation.command
        for level in invocation.path.indices.reversed() {
            let isOwn = level == invocation.path.count - 1
            for flag in invocation.path[level].flags where isOwn || command.takes.contains(flag.group) {
                if known.insert(flag.id).inserted { result.append(flag) }
            }
        }
        // `tunnel` is its own outer level: it defines more groups than some of its commands take.
        return result.filter { $0.group == .own || command.takes.contains($0.group) }
    }

    /// The command line that the command itself parses: one spelling for each flag, arguments last.
    var commandLine: [String] {
        var words: [String] = []
        for (id, value) in values.sorted(by: { $0.key < $1.key }) where value.definition.group != .ignored {
            if value.definition.kind == .bool {
                if value.texts.last == "true" { words.append("--\(id)") }
            } else {
                for text in value.texts { words.append("--\(id)=\(text)") }
            }
        }
        return words + ["--"] + arguments
    }

    /// The map of the official `Settings` line: what was given or configured, secrets masked.
    var settings: [String: String] {
        var settings: [String: String] = [:]
        for value in values.values {
            let text = value.texts.joined(separator: ", ")
            settings[value.definition.names.first ?? value.definition.id] =
                value.definition.isSecret ? Secret.mask : text
        }
        return settings
    }

    private mutating func warnAboutSecrets() {
        for value in values.values where value.definition.isSecret && value.source.isCommandLine {
            // Most proxies want no login.
            if value.definition.id == "edge-proxy", !value.texts.joined().contains("@") { continue }
            let variable = value.definition.environment.first
            let file =
                ["token", "service-token-secret"].contains(value.definition.id)
                ? (value.definition.id == "token" ? "--token-file" : "--service-token-file") : nil
            let ways = [file, variable.map { "the environment variable \($0)" }].compactMap { $0 }
            warnings.append(
                "\(value.definition.display) on the command line can be read by every user of this host in the process "
                    + "list" + (ways.isEmpty ? "" : "; use " + ways.joined(separator: " or ")))
        }
    }

    // MARK: Texts

    private static func environmentTexts(
        _ text: String, _ definition: FlagDefinition, _ name: String
    ) throws(CommandError) -> [String] {
        if definition.kind == .list {
            return text.split(separator: ",", omittingEmptySubsequences: true).map(trimmed).filter { !$0.isEmpty }
        }
        guard let canonical = FlagText.canonical(text, as: definition.kind) else {
            throw CommandError(
                .usage,
                "environment variable \(name) holds \"\(definition.isSecret ? Secret.mask : text)\", which is not "
                    + FlagText.expectation(of: definition.kind))
        }
        return [canonical]
    }

    private static func configuredTexts(
        _ value: ConfiguredValue, _ definition: FlagDefinition, _ key: String
    ) throws(CommandError) -> [String] {
        switch (value, definition.kind) {
        case (.list(let texts), .list): return texts
        case (.scalar(let text), .list): return [text]
        case (.list, _):
            throw CommandError(.configuration, "the configuration file has a list for \(key), which takes one value")
        case (.scalar(let text), _):
            guard let canonical = FlagText.canonical(text, as: definition.kind) else {
                throw CommandError(
                    .configuration,
                    "the configuration file has \"\(definition.isSecret ? Secret.mask : text)\" for \(key), "
                        + "which is not "
                        + FlagText.expectation(of: definition.kind))
            }
            return [canonical]
        }
    }

    static func trimmed(_ text: Substring) -> String {
        var rest = text
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
