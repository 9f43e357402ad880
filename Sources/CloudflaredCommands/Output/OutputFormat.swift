import ArgumentParser
import Foundation
import ServiceHost

/// `-o`: how a command prints what it was asked for.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text = "default"
    case json
    /// JSON as well, which every reader of YAML 1.2 reads; the keys are the same in both.
    case yaml
}

/// JSON as the official client prints it: two spaces, `"key": value`.
enum JSONOutput {
    static func text(_ value: some Encodable) throws -> String {
        indented(try line(value))
    }

    /// On one line.
    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Lays out compact JSON.
    static func indented(_ compact: String) -> String {
        var result = ""
        var depth = 0
        var isInString = false
        var isEscaped = false
        var previous: Character = " "
        func newline() { result += "\n" + String(repeating: "  ", count: depth) }
        for character in compact {
            defer { previous = character }
            if isInString {
                result.append(character)
                if isEscaped {
                    isEscaped = false
                } else if character == "\\" {
                    isEscaped = true
                } else if character == "\"" {
                    isInString = false
                }
                continue
            }
            switch character {
            case "{", "[":
                if previous == "{" || previous == "[" { newline() }
                result.append(character)
                depth += 1
            case "}", "]":
                depth -= 1
                if previous != "{" && previous != "[" { newline() }
                result.append(character)
            case ",":
                result.append(",")
                newline()
            case ":":
                result += ": "
            default:
                if previous == "{" || previous == "[" { newline() }
                result.append(character)
                isInString = character == "\""
            }
        }
        return result
    }
}

/// Times and names as tables show them.
enum OutputText {
    /// RFC 3339 in UTC, empty for no time.
    static func time(_ date: Date?) -> String { date?.formatted(.iso8601) ?? "" }

    /// A text of the server, safe for a terminal.
    static func safe(_ text: String) -> String { LogFormat.singleLine(text) }
}
