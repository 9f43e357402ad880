/// What is wrong with a file, flag or value that a person wrote, and what to do about it.
///
/// The description is one line: `config.yml:7: ingress[0].service: "localhost" has no scheme; write http://localhost`.
/// It never holds a secret: keys that carry one say only what kind of value was found.
package struct ConfigError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file as the person named it. Nil for a flag.
    package var file: String?
    /// Line in `file`, from 1.
    package var line: Int?
    /// Where inside the file: `ingress[0].service`. Or the name of the flag.
    package var key: String?
    /// What was found and why it cannot be used.
    package var problem: String
    /// The next thing to try.
    package var suggestion: String?

    package init(
        _ problem: String, suggestion: String? = nil, key: String? = nil, file: String? = nil, line: Int? = nil
    ) {
        self.problem = problem
        self.suggestion = suggestion
        self.key = key
        self.file = file
        self.line = line
    }

    package var description: String {
        var text = ""
        if let file {
            text += file
            if let line { text += ":\(line)" }
            text += ": "
        }
        if let key { text += key + ": " }
        text += problem
        if let suggestion { text += "; " + suggestion }
        return text
    }

    /// The same error with a place, unless it has one already.
    package func located(file: String?, line: Int? = nil, key: String? = nil) -> ConfigError {
        var copy = self
        if copy.file == nil { copy.file = file }
        if copy.line == nil { copy.line = line }
        if copy.key == nil { copy.key = key }
        return copy
    }
}

/// Something in a configuration file that will not stop the program and will probably surprise the person who wrote it.
package struct ConfigWarning: Hashable, Sendable, CustomStringConvertible {
    package var file: String
    package var line: Int?
    package var key: String
    package var message: String

    package var description: String {
        "\(file)\(line.map { ":\($0)" } ?? ""): \(key): \(message)"
    }
}

/// Quotes a value for an error line: printable, on one line, and short.
package func quoted(_ text: some StringProtocol) -> String {
    var result = "\""
    var count = 0
    for scalar in text.unicodeScalars {
        guard count < 120 else { return result + "…\"" }
        count += 1
        switch scalar {
        case "\"", "\\":
            result += "\\" + String(scalar)
        default:
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse, .surrogate:
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
    }
    return result + "\""
}
