/// Any JSON, where others choose the names: claims of identity providers, objects of the account API.
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    package var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    package var number: Double? {
        if case .number(let number) = self { number } else { nil }
    }

    /// The elements of a list; none of what is no list.
    package var array: [JSONValue] {
        if case .array(let values) = self { values } else { [] }
    }

    /// The members of an object; none of what is no object.
    package var object: [String: JSONValue] {
        if case .object(let members) = self { members } else { [:] }
    }

    /// Says nothing: null, false, or empty.
    package var isVoid: Bool {
        switch self {
        case .null, .bool(false), .string(""): true
        case .array(let values): values.isEmpty
        case .object(let members): members.isEmpty
        case .bool, .number, .string: false
        }
    }

    /// One text, or the texts of a list; what is no text, number or truth value is left out.
    package var texts: [String] {
        switch self {
        case .null, .object: []
        case .bool(let value): [String(value)]
        case .number(let value): [Int64(exactly: value).map(String.init) ?? String(value)]
        case .string(let text): [text]
        case .array(let values):
            values.flatMap { value in
                if case .array = value { [String]() } else { value.texts }
            }
        }
    }
}

extension JSONValue: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
