/// Reads a command line with the rules of the official client: Go flags, defined at every command level, the innermost
/// wins.
///
/// Pure. What it returns is resolved against environment and configuration file by ``FlagResolution``, and then parsed
/// by the command itself. Differences to the official rules, all towards leniency: a flag may follow an argument, and
/// an outer flag may stand behind an inner command. Source: cli-and-config.md sections 1.2 and 1.3.
struct ArgumentNormalizer {
    /// What a command line asks for.
    enum Request {
        case run(Invocation)
        case help(path: [CommandNode])
        case version(isShort: Bool)
    }

    /// The values of one flag, as given at one level of the command line.
    struct Given: Sendable {
        var definition: FlagDefinition
        var level: Int
        var spelling: String
        var values: [String]
        /// Whether an outer level had given it too.
        var isShadowing = false
    }

    /// A command with all that was written for it.
    struct Invocation: Sendable {
        /// From the root to the command.
        var path: [CommandNode]
        /// The words that named them, for aliases that mean something to people (`access rdp`).
        var words: [String]
        var given: [String: Given] = [:]
        var arguments: [String] = []

        var command: CommandNode { path[path.count - 1] }
    }

    /// - Parameter words: without the program's own name.
    static func read(_ words: [String], root: CommandNode = CommandTree.root) throws(CommandError) -> Request {
        var reader = ArgumentNormalizer(invocation: Invocation(path: [root], words: [root.name]), rest: words[...])
        return try reader.read()
    }

    private var invocation: Invocation
    private var rest: ArraySlice<String>
    private var isHelpAsked = false

    private init(invocation: Invocation, rest: ArraySlice<String>) {
        self.invocation = invocation
        self.rest = rest
    }

    private mutating func read() throws(CommandError) -> Request {
        while let word = rest.popFirst() {
            if word == "--" {
                invocation.arguments += rest
                break
            }
            if word.hasPrefix("-"), word != "-" {
                if isVersionFlag(word) { return .version(isShort: false) }
                try readFlag(word)
            } else if invocation.arguments.isEmpty, let child = try child(named: word) {
                invocation.path.append(child)
                invocation.words.append(word)
                // Nothing behind such a command can be right or wrong, unless it is a command that is there.
                if case .unavailable(let advice) = child.role, rest.first.flatMap(child.child) == nil {
                    throw CommandError(.unavailableCommand, advice)
                }
                if child.passesArgumentsOn, ![["--help"], ["-h"]].contains(Array(rest)) {
                    invocation.arguments = Array(rest)
                    break
                }
            } else if word == "help" || word == "h", !invocation.command.children.isEmpty {
                return .help(path: try helpPath())
            } else {
                invocation.arguments.append(word)
            }
        }
        if isHelpAsked { return .help(path: invocation.path) }
        if invocation.command.name == "version" {
            return .version(isShort: invocation.given["short"]?.values.last == "true")
        }
        return .run(invocation)
    }

    private func isVersionFlag(_ word: String) -> Bool {
        invocation.path.count == 1 && ["--version", "-version", "-v", "--v", "-V", "--V"].contains(word)
    }

    private func child(named word: String) throws(CommandError) -> CommandNode? {
        let command = invocation.command
        if let child = command.child(named: word) { return child }
        guard !command.children.isEmpty, word != "help", word != "h" else { return nil }
        // The official client runs the parent's action with the word as argument, which never is what was meant.
        let names = command.children.flatMap { [$0.name] + $0.aliases }
        let near = Suggestion.nearest(to: word, among: names).map { "; did you mean '\($0)'?" } ?? ""
        throw CommandError(.usage, "unknown command '\(word)' for '\(commandText)'\(near)")
    }

    private mutating func helpPath() throws(CommandError) -> [CommandNode] {
        while let word = rest.popFirst(), !word.hasPrefix("-") {
            guard let child = try child(named: word) else { break }
            if case .unavailable(let advice) = child.role { throw CommandError(.unavailableCommand, advice) }
            invocation.path.append(child)
        }
        return invocation.path
    }

    private var commandText: String { invocation.words.joined(separator: " ") }

    // MARK: Flags

    private mutating func readFlag(_ word: String) throws(CommandError) {
        var body = word.dropFirst(word.hasPrefix("--") ? 2 : 1)
        var value: String?
        if let equals = body.firstIndex(of: "=") {
            value = String(body[body.index(after: equals)...])
            body = body[..<equals]
        }
        let name = String(body)
        if name == "help" || name == "h", definition(named: name) == nil {
            isHelpAsked = true
            return
        }
        guard let definition = definition(named: name) else { throw unknownFlag(word, name) }
        if value == nil, definition.kind != .bool {
            guard let next = rest.popFirst() else {
                throw CommandError(.usage, "flag \(word) needs a value: \(FlagText.expectation(of: definition.kind))")
            }
            value = next
        }
        var texts = [value ?? "true"]
        if definition.isSeparatedByCommas {
            if definition.takesFurtherWords { texts += furtherWords() }
            texts = texts.flatMap { $0.split(separator: ",").map(FlagResolution.trimmed) }.filter { !$0.isEmpty }
            if texts.isEmpty { texts = [""] }
        }
        for text in texts { try take(text, for: definition, spelling: name) }
    }

    /// The words up to the next flag or command. Not where a command takes arguments: those would be swallowed.
    private mutating func furtherWords() -> [String] {
        let command = invocation.command
        guard !command.children.isEmpty else { return [] }
        var words: [String] = []
        while let word = rest.first, !word.hasPrefix("-"), word != "help", word != "h",
            command.child(named: word) == nil
        {
            words.append(word)
            rest.removeFirst()
        }
        return words
    }

    private mutating func take(
        _ value: String, for definition: FlagDefinition, spelling name: String
    ) throws(CommandError) {
        guard let text = FlagText.canonical(value, as: definition.kind) else {
            // A secret is any text and never gets here.
            throw CommandError(
                .usage,
                "invalid value \"\(value)\" for flag \(definition.display): expected "
                    + FlagText.expectation(of: definition.kind))
        }
        // Mostly a variable of a script that is not set. What would follow from it is never what was meant.
        guard !text.isEmpty else { throw CommandError(.usage, "flag \(definition.display) has an empty value") }
        try record(definition, spelling: name, text)
    }

    /// Own flags first, then those of the outer levels that concern this command.
    private func definition(named name: String) -> FlagDefinition? {
        let command = invocation.command
        if let own = command.flags.first(where: { $0.names.contains(name) }) { return own }
        for outer in invocation.path.dropLast().reversed() {
            let found = outer.flags.first { $0.names.contains(name) && command.takes.contains($0.group) }
            if let found { return found }
        }
        return nil
    }

    private func unknownFlag(_ word: String, _ name: String) -> CommandError {
        let command = invocation.command
        let outer = invocation.path.dropLast().flatMap(\.flags).filter { command.takes.contains($0.group) }
        let names = (command.flags + outer).filter { $0.group != .ignored }.flatMap(\.names)
        let near = Suggestion.nearest(to: name, among: names).map { "; did you mean --\($0)?" } ?? ""
        let shown = word.split(separator: "=", maxSplits: 1).first.map(String.init) ?? word
        return CommandError(
            .usage, "unknown flag \(shown) for '\(commandText)'\(near.isEmpty ? "; see '\(commandText) --help'" : near)"
        )
    }

    private mutating func record(
        _ definition: FlagDefinition, spelling: String, _ text: String
    ) throws(CommandError) {
        let level = invocation.path.count - 1
        guard var known = invocation.given[definition.id], known.level == level else {
            let isShadowing = invocation.given[definition.id] != nil
            invocation.given[definition.id] = Given(
                definition: definition, level: level, spelling: spelling, values: [text], isShadowing: isShadowing)
            return
        }
        guard known.spelling == spelling else {
            throw CommandError(
                .usage, "\(definition.display) is given in two forms, --\(known.spelling) and --\(spelling); use one")
        }
        if definition.kind == .list { known.values.append(text) } else { known.values = [text] }
        invocation.given[definition.id] = known
    }
}
