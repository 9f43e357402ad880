/// JSON written by hand: members keep their order, so that tokens and files come out byte for byte as expected.
package indirect enum JSONText {
    case string(String)
    case bool(Bool)
    case integer(Int)
    /// Seconds; whole ones without a fraction.
    case seconds(Duration)
    case array([JSONText])
    case object([(String, JSONText)])
    case null

    package var text: String {
        switch self {
        case .string(let value): Self.quote(value)
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .seconds(let value): Self.number(value)
        case .null: "null"
        case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { Self.quote($0.0) + ":" + $0.1.text }.joined(separator: ",") + "}"
        }
    }

    private static func number(_ duration: Duration) -> String {
        let parts = duration.components
        if parts.attoseconds == 0 { return "\(parts.seconds)" }
        return "\(Double(parts.seconds) + Double(parts.attoseconds) / 1e18)"
    }

    private static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.utf8.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
