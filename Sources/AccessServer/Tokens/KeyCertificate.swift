import CryptoExtras
import EdgeStore
import Foundation
import SwiftASN1
import X509

/// A signing key in the form of a certificate, for validators that read nothing else. Signed by itself; the same every
/// time it is made.
enum KeyCertificate {
    static func pem(of key: SigningKey) throws -> String {
        let privateKey = try _RSA.Signing.PrivateKey(pemRepresentation: key.privateKeyPEM)
        let name = try DistinguishedName { CommonName("cloudflared-edge Access") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(bytes: Array(key.id.utf8.prefix(16))),
            publicKey: Certificate.PublicKey(privateKey.publicKey), notValidBefore: key.createdAt,
            notValidAfter: key.createdAt + 366 * 86_400, issuer: name, subject: name,
            signatureAlgorithm: .sha256WithRSAEncryption,
            extensions: Certificate.Extensions { Critical(KeyUsage(digitalSignature: true)) },
            issuerPrivateKey: Certificate.PrivateKey(privateKey))
        return try certificate.serializeAsPEM().pemString + "\n"
    }
}
