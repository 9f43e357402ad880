package import Logging

/// How one log event becomes one line. Pure: the time is an argument.
package enum LogFormat: Sendable, Equatable {
    /// `2026-11-22T07:57:41Z INF message key=value`, keys sorted, `error` first.
    case console(isColoured: Bool)
    /// One JSON object: level, fields, time, message.
    case json

    /// No field is worth more than this many bytes of log.
    static let maximumValueLength = 8 * 1024

    /// - Returns: the line, ended by a newline, without any other control character.
    package func line(
        level: Logger.Level, message: String, fields: Logger.Metadata, secondsSinceEpoch: Int
    ) -> String {
        switch self {
        case .console(let isColoured):
            consoleLine(level, message, fields, LogTime.text(secondsSinceEpoch: secondsSinceEpoch), isColoured)
        case .json:
            jsonLine(level, message, fields, LogTime.text(secondsSinceEpoch: secondsSinceEpoch))
        }
    }

    private static func sorted(_ fields: Logger.Metadata) -> [(key: String, value: Logger.MetadataValue)] {
        fields.sorted { left, right in
            if (left.key == "error") != (right.key == "error") { return left.key == "error" }
            return left.key < right.key
        }
    }

    // MARK: Console

    private func consoleLine(
        _ level: Logger.Level, _ message: String, _ fields: Logger.Metadata, _ time: String, _ isColoured: Bool
    ) -> String {
        func coloured(_ text: String, _ colour: Int, isBold: Bool = false) -> String {
            guard isColoured else { return text }
            return isBold ? "\u{1b}[1m\u{1b}[\(colour)m\(text)\u{1b}[0m\u{1b}[0m" : "\u{1b}[\(colour)m\(text)\u{1b}[0m"
        }
        let short = LogLevelName.short(level)
        var line = coloured(time, 90) + " "
        switch level {
        case .trace: line += coloured(short, 35)
        case .debug: line += coloured(short, 33)
        case .info, .notice: line += coloured(short, 32)
        case .warning: line += coloured(short, 31)
        case .error, .critical: line += coloured(short, 31, isBold: true)
        }
        // A message is not quoted, so that people can grep for it, but it stays on its line.
        line += " " + Self.escaped(Self.bounded(message), isQuoted: false)
        for (key, value) in Self.sorted(fields) {
            let text = Self.consoleText(value)
            line += " " + coloured(Self.escaped(key, isQuoted: false) + "=", key == "error" ? 31 : 36)
            line += key == "error" ? coloured(text, 31) : text
        }
        return line + "\n"
    }

    static func consoleText(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): quotedIfNeeded(bounded(text))
        case .stringConvertible(let object): quotedIfNeeded(bounded(object.description))
        case .array, .dictionary: bounded(jsonText(value))
        }
    }

    private static func quotedIfNeeded(_ text: String) -> String {
        let needsQuotes = text.unicodeScalars.contains { scalar in
            scalar.value <= 0x20 || scalar.value > 0x7e || scalar == "\\" || scalar == "\""
        }
        return needsQuotes ? "\"\(escaped(text, isQuoted: true))\"" : text
    }

    /// Message and fields as on a console, without time, level and colours.
    static func text(message: String, fields: Logger.Metadata) -> String {
        var text = escaped(bounded(message), isQuoted: false)
        for (key, value) in sorted(fields) { text += " \(escaped(key, isQuoted: false))=\(consoleText(value))" }
        return text
    }

    // MARK: JSON

    private func jsonLine(_ level: Logger.Level, _ message: String, _ fields: Logger.Metadata, _ time: String) -> String
    {
        var line = "{\"level\":\"\(LogLevelName.word(level))\""
        for (key, value) in Self.sorted(fields) {
            line += ",\"\(Self.escaped(key, isQuoted: true))\":\(Self.jsonText(value))"
        }
        return line + ",\"time\":\"\(time)\",\"message\":\"\(Self.escaped(Self.bounded(message), isQuoted: true))\"}\n"
    }

    private static func jsonText(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text):
            return "\"\(escaped(bounded(text), isQuoted: true))\""
        case .stringConvertible(let object):
            // Log readers expect numbers as numbers: connIndex, event, ingressRule.
            if object is any BinaryInteger || object is Bool { return object.description }
            if let number = object as? Double, number.isFinite { return number.description }
            return "\"\(escaped(bounded(object.description), isQuoted: true))\""
        case .array(let values):
            return "[" + values.map(jsonText).joined(separator: ",") + "]"
        case .dictionary(let fields):
            return "{"
                + sorted(fields).map { "\"\(escaped($0.key, isQuoted: true))\":\(jsonText($0.value))" }
                .joined(separator: ",") + "}"
        }
    }

    // MARK: Text

    /// A text for a terminal: on one line, without control characters. For messages that quote what others sent.
    package static func singleLine(_ text: String) -> String { escaped(bounded(text), isQuoted: false) }

    private static func bounded(_ text: String) -> String {
        guard text.utf8.count > maximumValueLength else { return text }
        return String(decoding: text.utf8.prefix(maximumValueLength), as: UTF8.self) + "…"
    }

    /// Replaces whatever could start a new line, move a cursor or end a quotation.
    static func escaped(_ text: String, isQuoted: Bool) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            byte >= 0x20 && byte < 0x7f && (!isQuoted || (byte != 0x22 && byte != 0x5c))
        }
        if isPlain { return text }
        var result = ""
        result.reserveCapacity(text.utf8.count + 16)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"" where isQuoted: result += "\\\""
            case "\\" where isQuoted: result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if isUnsafe(scalar) {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result
    }

    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // C0, DEL and C1 controls, line and paragraph separators, and the marks that reorder text on a terminal.
        case 0..<0x20, 0x7f...0x9f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
