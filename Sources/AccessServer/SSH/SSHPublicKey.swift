import Crypto
import Foundation

/// A user's public key as OpenSSH writes it: `TYPE BASE64 COMMENT`. The kinds that we certify.
struct SSHPublicKey: Sendable, Hashable {
    enum Kind: String, Sendable {
        case ecdsaP256 = "ecdsa-sha2-nistp256"
        case ed25519 = "ssh-ed25519"

        var certificateName: String { "\(rawValue)-cert-v01@openssh.com" }
    }

    let kind: Kind
    /// The fields of the key as they stand in a certificate.
    let fields: [[UInt8]]

    init?(line: String) {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard line.utf8.count <= 4096, words.count >= 2, let kind = Kind(rawValue: String(words[0])),
            let blob = Data(base64Encoded: String(words[1]))
        else { return nil }
        var reader = SSHReader(Array(blob))
        guard reader.string() == Array(kind.rawValue.utf8) else { return nil }
        switch kind {
        case .ecdsaP256:
            guard reader.string() == Array("nistp256".utf8), let point = reader.string(),
                (try? P256.Signing.PublicKey(x963Representation: point)) != nil, point.count == 65
            else { return nil }
            fields = [Array("nistp256".utf8), point]
        case .ed25519:
            guard let point = reader.string(), point.count == 32,
                (try? Curve25519.Signing.PublicKey(rawRepresentation: point)) != nil
            else { return nil }
            fields = [point]
        }
        guard reader.isAtEnd else { return nil }
        self.kind = kind
    }

    init(_ key: P256.Signing.PublicKey) {
        kind = .ecdsaP256
        fields = [Array("nistp256".utf8), Array(key.x963Representation)]
    }

    var blob: [UInt8] {
        var result = SSHBytes()
        result.append(string: kind.rawValue)
        for field in fields { result.append(string: field) }
        return result.bytes
    }

    var line: String { "\(kind.rawValue) \(Data(blob).base64EncodedString())" }
}
