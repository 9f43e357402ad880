package import Foundation

/// RFC 3339 times as the account API sends them.
package enum Timestamp {
    /// Go's zero time, which stands for "never".
    package static let zero = "0001-01-01T00:00:00Z"

    package static func encode(_ date: Date) -> String {
        date.formatted(
            .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted))
    }

    /// nil for the zero time and for what is no time.
    package static func decode(_ text: String) -> Date? {
        guard !text.hasPrefix("0001-01-01T00:00:00") else { return nil }
        // Servers send zero to nine fraction digits; the parser wants none or three.
        let whole = Date.ISO8601FormatStyle(includingFractionalSeconds: false)
        guard let dot = text.firstIndex(of: ".") else { return try? whole.parse(text) }
        let fraction: Substring = text[text.index(after: dot)...].prefix(while: { $0.isASCII && $0.isNumber })
        let rest: Substring = text[fraction.endIndex...]
        guard !fraction.isEmpty, let base = try? whole.parse("\(text[..<dot])\(rest)"),
            let value = Double("0.\(fraction)")
        else { return nil }
        return base.addingTimeInterval(value)
    }
}

extension KeyedDecodingContainer {
    /// A time, or nil when it is absent, null, zero or unreadable.
    func lenientDate(_ key: Key) -> Date? {
        lenient(String.self, key).flatMap(Timestamp.decode)
    }

    /// A value, or nil when it is absent, null or of another type.
    func lenient<Value: Decodable>(_ type: Value.Type, _ key: Key) -> Value? {
        (try? decodeIfPresent(type, forKey: key)) ?? nil
    }

    func lenientUUID(_ key: Key) -> UUID? {
        lenient(String.self, key).flatMap { UUID(uuidString: $0) }
    }
}
