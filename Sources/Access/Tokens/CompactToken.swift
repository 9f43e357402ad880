import AccessPolicy
import FoundationEssentials

/// A compact JWS whose header was read and nothing else: enough to choose the key, nothing to believe in.
package struct CompactToken: Sendable {
    /// Far above any token of ours or of a provider with many groups.
    package static let longest = 8 << 10

    package let text: String
    package let algorithm: String
    package let keyID: String?

    /// Nil for what is too long, is not three parts, or has a header that is no plain one: `crit` names extensions that
    /// must not be passed over, and we know none.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count <= Self.longest else { return nil }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 3, let header = Base64URL.decode(parts[0]),
            let payload = Base64URL.decode(parts[1]), !payload.isEmpty,
            let signature = Base64URL.decode(parts[2]), !signature.isEmpty,
            let fields = try? JSONDecoder().decode(Header.self, from: Data(header)), fields.crit == nil
        else { return nil }
        self.text = String(text)
        algorithm = fields.alg
        keyID = fields.kid
    }

    private struct Header: Decodable {
        let alg: String
        let kid: String?
        let crit: JSONValue?
    }
}
