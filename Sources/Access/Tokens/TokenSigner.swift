import Crypto
import CryptoExtras
import FoundationEssentials
import JWTKit

/// Signs tokens of the team with one RSA key.
package struct TokenSigner: Sendable, CustomStringConvertible {
    /// A public key as the team publishes it.
    package struct PublicKey: Hashable, Sendable {
        /// 64 hexadecimal digits.
        package let id: String
        /// Base64 for URLs.
        package let modulus: String
        package let exponent: String

        package init(id: String, modulus: String, exponent: String) {
            self.id = id
            self.modulus = modulus
            self.exponent = exponent
        }
    }

    package let publicKey: PublicKey
    private let key: JWTKit.Insecure.RSA.PrivateKey
    private let keys: JWTKeyCollection

    /// - Parameter privateKeyPEM: PKCS#8 or PKCS#1, at least 2048 bits.
    package init(privateKeyPEM: String) async throws {
        key = try JWTKit.Insecure.RSA.PrivateKey(pem: privateKeyPEM)
        let primitives = try key.publicKey.getKeyPrimitives()
        publicKey = PublicKey(
            id: Self.id(of: key.publicKey.derRepresentation), modulus: Base64URL.encode(primitives.modulus),
            exponent: Base64URL.encode(primitives.publicExponent))
        keys = await JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256, serializer: Self.serializer)
    }

    /// The official client writes the header of a token that it has read anew, in alphabetical order: with any other order
    /// the signature would not fit any more.
    private static var serializer: DefaultJWTSerializer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return DefaultJWTSerializer(jsonEncoder: encoder)
    }

    /// A new key's PEM, and its id. Takes a while.
    package static func generateKey() throws -> (id: String, privateKeyPEM: String) {
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        return (id(of: key.publicKey.derRepresentation), key.pemRepresentation)
    }

    package func sign(_ body: TokenBody) async throws -> String {
        try await keys.sign(body, header: ["kid": .string(publicKey.id)])
    }

    private static func id(of publicKey: Data) -> String {
        SHA256.hash(data: publicKey).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    package var description: String { "signer \(publicKey.id), key redacted" }
}
