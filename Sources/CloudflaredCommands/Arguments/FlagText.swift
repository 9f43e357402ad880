import TunnelConfig

/// Reads the text of a flag as its kind asks for. Source: cli-and-config.md section 1.2.
enum FlagText {
    /// - Returns: the text in the form that the commands parse, nil when it is malformed.
    static func canonical(_ text: String, as kind: FlagDefinition.Kind) -> String? {
        switch kind {
        case .string, .list: text
        case .bool: bool(text).map { $0 ? "true" : "false" }
        case .integer: integer(text).map(String.init)
        case .unsigned: integer(text).flatMap { $0 < 0 ? nil : String($0) }
        case .duration: (try? GoDuration.parse(text)).map { _ in text }
        }
    }

    /// What a message says was expected.
    static func expectation(of kind: FlagDefinition.Kind) -> String {
        switch kind {
        case .string, .list: "a text"
        case .bool: "true or false"
        case .integer: "a whole number"
        case .unsigned: "a whole number from 0"
        case .duration: "a duration with its unit, such as 30s or 1m30s"
        }
    }

    static func bool(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "TRUE", "true", "True": true
        case "0", "f", "F", "FALSE", "false", "False": false
        default: nil
        }
    }

    /// Go's base 0: `0x10`, `0b1`, `0o17`, leading `0` octal, `_` between digits.
    static func integer(_ text: String) -> Int? {
        var digits = text[...]
        var sign = ""
        if let first = digits.first, first == "-" || first == "+" {
            sign = String(first)
            digits = digits.dropFirst()
        }
        var base = 10
        for (prefix, value) in [("0x", 16), ("0b", 2), ("0o", 8)] where digits.lowercased().hasPrefix(prefix) {
            base = value
            digits = digits.dropFirst(2)
        }
        if base == 10, digits.count > 1, digits.first == "0" { base = 8 }
        guard digits.first != "_" || base != 10, digits.last != "_", !digits.contains("__") else { return nil }
        let plain = digits.filter { $0 != "_" }
        guard let first = plain.first, first != "-", first != "+" else { return nil }
        return Int(sign + plain, radix: base)
    }
}
