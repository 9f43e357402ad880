import Crypto
import Foundation

/// A certificate for a user of SSH (OpenSSH's PROTOCOL.certkeys; access-protocol section 3.14).
struct SSHCertificate: Sendable {
    var key: SSHPublicKey
    var serial: UInt64
    var keyID: String
    var principals: [String]
    /// Seconds since 1970.
    var validAfter: UInt64
    var validBefore: UInt64
    /// 32 random bytes.
    var nonce: [UInt8]

    private static let userCertificate: UInt32 = 1
    private static let extensions = ["permit-agent-forwarding", "permit-pty", "permit-user-rc"]

    /// The line that belongs into `…-cert.pub`.
    func line(signedBy authority: P256.Signing.PrivateKey) throws -> String {
        var body = SSHBytes()
        body.append(string: key.kind.certificateName)
        body.append(string: nonce)
        for field in key.fields { body.append(string: field) }
        body.append(serial)
        body.append(Self.userCertificate)
        body.append(string: keyID)
        body.append(string: Self.list(principals))
        body.append(validAfter)
        body.append(validBefore)
        // No critical options.
        body.append(string: "")
        var permitted = SSHBytes()
        for name in Self.extensions {
            permitted.append(string: name)
            permitted.append(string: "")
        }
        body.append(string: permitted.bytes)
        // Reserved.
        body.append(string: "")
        body.append(string: SSHPublicKey(authority.publicKey).blob)
        body.append(string: try Self.signature(of: body.bytes, by: authority))
        return "\(key.kind.certificateName) \(Data(body.bytes).base64EncodedString())"
    }

    private static func list(_ texts: [String]) -> [UInt8] {
        var result = SSHBytes()
        for text in texts { result.append(string: text) }
        return result.bytes
    }

    private static func signature(of bytes: [UInt8], by authority: P256.Signing.PrivateKey) throws -> [UInt8] {
        let raw = Array(try authority.signature(for: bytes).rawRepresentation)
        var numbers = SSHBytes()
        numbers.append(positive: raw[..<32])
        numbers.append(positive: raw[32...])
        var result = SSHBytes()
        result.append(string: SSHPublicKey.Kind.ecdsaP256.rawValue)
        result.append(string: numbers.bytes)
        return result.bytes
    }
}
