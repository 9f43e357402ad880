import Foundation
import JWTKit

/// The keys a team signs with. Only RSA: with others nobody signs what this client reads.
struct TeamKeys: Sendable {
    /// Named as in RFC 7517.
    struct Key: Codable, Sendable {
        var use: String?
        var kty: String
        var kid: String
        var alg: String?
        var n: String
        var e: String
    }

    let keys: [Key]

    /// Nil for what is no key set, or has no key for us.
    init?(json: some Sequence<UInt8>) {
        guard let set = try? JSONDecoder().decode(Lenient.self, from: Data(json)) else { return nil }
        keys = set.keys.compactMap(\.key)
        guard !keys.isEmpty else { return nil }
    }

    /// As it is kept, without the keys that the official client could not read.
    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(["keys": keys])).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// What a token says that one of these keys signed with RS256; nil for any other.
    func verified<Payload: JWTPayload>(_ token: CompactToken, as type: Payload.Type) async -> Payload? {
        guard token.algorithm == "RS256", let id = token.keyID, let key = keys.first(where: { $0.kid == id }),
            key.alg ?? "RS256" == "RS256", let rsa = try? Insecure.RSA.PublicKey(modulus: key.n, exponent: key.e)
        else { return nil }
        // With the one key that the token names, so that there is nothing to choose from.
        let collection = JWTKeyCollection()
        await collection.add(rsa: rsa, digestAlgorithm: .sha256)
        return try? await collection.verify(token.text, as: type)
    }

    /// A set may hold keys of other kinds; they are passed over.
    private struct Lenient: Decodable {
        struct Entry: Decodable {
            var key: Key?

            init(from decoder: any Decoder) throws {
                key = (try? Key(from: decoder)).flatMap { $0.kty == "RSA" ? $0 : nil }
            }
        }

        var keys: [Entry]
    }
}
