import Crypto
package import FoundationEssentials

/// The public half of a service token, sent as `Cf-Access-Client-Id`: 32 hexadecimal digits and `.access`.
/// An imported one may look otherwise.
package struct ServiceTokenID: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package static func generate(using generator: inout some RandomNumberGenerator) -> ServiceTokenID {
        ServiceTokenID(rawValue: hexadecimal(randomBytes(16, using: &generator)) + ".access")
    }

    package static func generate() -> ServiceTokenID {
        var generator = SystemRandomNumberGenerator()
        return generate(using: &generator)
    }

    package var description: String { rawValue }
}

/// The secret half, sent as `Cf-Access-Client-Secret`. Shown once when it is made; the store keeps its SHA-256.
/// Every description is redacted.
package struct ServiceTokenSecret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The text itself, for the one place that shows it and for the header that carries it.
    package let text: String

    package init(_ text: String) { self.text = text }

    /// 256 random bits in hexadecimal.
    package static func generate(using generator: inout some RandomNumberGenerator) -> ServiceTokenSecret {
        ServiceTokenSecret(hexadecimal(randomBytes(32, using: &generator)))
    }

    package static func generate() -> ServiceTokenSecret {
        var generator = SystemRandomNumberGenerator()
        return generate(using: &generator)
    }

    /// SHA-256 of the text's UTF-8, 32 bytes. Enough for a secret of 256 random bits; a password would need more.
    package var hash: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

    package var description: String { "(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// A service token as the edge keeps it.
package struct ServiceTokenRecord: Hashable, Sendable, Identifiable {
    package let id: ServiceTokenID
    /// What policies name it by (access-protocol section 3.12, `service_token`).
    package let recordID: String
    /// SHA-256 of the secret, 32 bytes. A record with another length never matches.
    package var secretHash: [UInt8]
    package var name: String
    package var createdAt: Date
    /// Nil: never.
    package var expiresAt: Date?

    /// - Parameter recordID: nil: the same as the public half.
    package init(
        id: ServiceTokenID, recordID: String? = nil, secretHash: [UInt8], name: String, createdAt: Date,
        expiresAt: Date? = nil
    ) {
        self.id = id
        self.recordID = recordID ?? id.rawValue
        self.secretHash = secretHash
        self.name = name
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    package func isExpired(at now: Date) -> Bool { expiresAt.map { $0 <= now } ?? false }
}

/// Equality that takes the same time wherever the first difference is.
func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
}

private func randomBytes(_ count: Int, using generator: inout some RandomNumberGenerator) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
