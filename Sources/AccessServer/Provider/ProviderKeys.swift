import Access
import AccessPolicy
import Foundation
import JWTKit

/// The keys of an identity provider, as far as we can use them.
struct ProviderKeys: Sendable {
    /// Signatures by a private key only, nothing weaker than SHA-256 (access-protocol section 3.13, 2).
    static let algorithms: Set<String> = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    ]
    private static let mostKeys = 64

    private struct Key: Sendable {
        let id: String?
        let algorithm: String?
        let type: String
        let parameters: [String: String]

        /// Nil for keys of kinds that we do not know, or that are not for signatures: others may be in the set.
        init?(_ value: JSONValue) {
            guard case .object(let members) = value, let type = members["kty"]?.text, type == "RSA" || type == "EC",
                members["use"]?.text ?? "sig" == "sig"
            else { return nil }
            self.type = type
            id = members["kid"]?.text
            algorithm = members["alg"]?.text
            parameters = members.compactMapValues(\.text)
        }

        func jwk(for algorithm: String, id: String) -> JWK? {
            guard let algorithm = JWK.Algorithm(rawValue: algorithm) else { return nil }
            let id = JWKIdentifier(string: id)
            if type == "RSA" {
                return .rsa(algorithm, identifier: id, modulus: parameters["n"], exponent: parameters["e"])
            }
            let curve = parameters["crv"].flatMap { ECDSACurve(rawValue: $0) }
            return .ecdsa(algorithm, identifier: id, x: parameters["x"], y: parameters["y"], curve: curve)
        }
    }

    private let keys: [Key]

    init(json: Data) throws {
        struct Document: Decodable { let keys: [JSONValue] }
        guard let document = try? JSONDecoder().decode(Document.self, from: json) else {
            throw ProviderFailure(.badAnswer, "keys", "they are not a JSON web key set")
        }
        keys = document.keys.prefix(Self.mostKeys).compactMap(Key.init)
    }

    /// The claims of a token that one of the keys has signed; nil: none has.
    func claims(of text: String) async throws -> [String: JSONValue]? {
        guard let token = CompactToken(text), Self.algorithms.contains(token.algorithm) else {
            throw ProviderFailure(
                .untrusted, "id_token", "it is no signed token, or not signed with an algorithm that counts")
        }
        let type = token.algorithm.hasPrefix("ES") ? "EC" : "RSA"
        let candidates = keys.filter { key in
            key.type == type && (token.keyID == nil || key.id == token.keyID)
                && (key.algorithm ?? token.algorithm) == token.algorithm
        }
        for key in candidates {
            guard let jwk = key.jwk(for: token.algorithm, id: token.keyID ?? "only"),
                let collection = try? await JWTKeyCollection().add(jwk: jwk),
                let payload = try? await collection.verify(text, as: ClaimsPayload.self)
            else { continue }
            return payload.claims
        }
        return nil
    }
}

/// Claims by whatever names the provider gives them.
private struct ClaimsPayload: JWTPayload {
    let claims: [String: JSONValue]

    init(from decoder: any Decoder) throws {
        claims = try decoder.singleValueContainer().decode([String: JSONValue].self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(claims)
    }

    func verify(using algorithm: some JWTAlgorithm) {}
}
