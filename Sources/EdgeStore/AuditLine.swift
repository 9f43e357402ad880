import Crypto
import Foundation

/// An event as it stands in the log, chained to the line before by that line's SHA-256.
struct AuditLine: Codable {
    /// 64 hexadecimal digits; zeros before the first line of all.
    let previous: String
    let event: AuditEvent

    enum CodingKeys: String, CodingKey { case previous }

    init(previous: String, event: AuditEvent) {
        self.previous = previous
        self.event = event
    }

    init(from decoder: any Decoder) throws {
        previous = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .previous)
        event = try AuditEvent(from: decoder)
    }

    func encode(to encoder: any Encoder) throws {
        try event.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(previous, forKey: .previous)
    }

    /// Without the final newline.
    func text() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.formatted(Self.time))
        }
        return try encoder.encode(self)
    }

    static func read(_ text: Data) throws -> AuditLine {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            try Date(decoder.singleValueContainer().decode(String.self), strategy: Self.time)
        }
        return try decoder.decode(AuditLine.self, from: text)
    }

    static func hash(_ text: Data) -> String {
        SHA256.hash(data: text).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    static let none = String(repeating: "0", count: 64)
    private static let time = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
}
