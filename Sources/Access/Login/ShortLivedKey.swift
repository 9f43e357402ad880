import Crypto
import Foundation
import NIOHTTP1

/// A key pair for ssh and the certificate that lets it in for a few minutes (access-protocol section 2.14), in the files
/// that `ssh-config --short-lived-cert` names.
package struct ShortLivedKey: Sendable {
    private static let timeout = Duration.seconds(10)

    private let store: TokenStore
    /// Without ending.
    private let name: String

    /// - Parameter url: of the protected host.
    package init(_ url: WebURL, in store: TokenStore) {
        self.store = store
        let path = url.path == "/" ? "" : url.path
        name = "\(url.host)\(path)-cf_key".replacingOccurrences(of: "/", with: "-")
    }

    /// Has the team sign the key; makes one first if there is none.
    ///
    /// - Throws: `LoginError`, or an error of the transport.
    package func certify(
        by token: AccessToken, of application: ProtectedApplication, _ transport: any LoginTransport, userAgent: String
    ) async throws {
        // The token tells where to go, and that may only be where it is from.
        guard token.issuer == application.team.issuer else {
            throw LoginError(.badAnswer, "the token for \(application.url.authority) is not from \(application.team)")
        }
        let question = Question(publicKey: try publicKey(), jwt: token.text, issuer: application.team.issuer)
        let answer = try await transport.send(
            WebRequest(
                .POST, WebURL(application.team, path: "/cdn-cgi/access/cert_sign"),
                headers: ["Content-Type": "application/json", "User-Agent": userAgent],
                body: Array(try JSONEncoder().encode(question)), timeout: Self.timeout, longestBody: 64 << 10))
        let decoder = JSONDecoder()
        guard answer.status == 200 else {
            let refusal = try? decoder.decode(Refusal.self, from: Data(answer.body))
            throw LoginError(
                .refused,
                "\(refusal?.status ?? answer.status): \(refusal.map { Self.line($0.message) } ?? "\(application.team) signed nothing")"
            )
        }
        guard let certificate = try? decoder.decode(Certificate.self, from: Data(answer.body)).certificate,
            certificate.contains("-cert-v01@openssh.com "), certificate.utf8.allSatisfy({ $0 < 0x7F })
        else { throw LoginError(.badAnswer, "\(application.team) answered without a certificate") }
        try store.write(certificate, to: name + "-cert.pub")
    }

    /// As OpenSSH writes it, with a line end.
    private func publicKey() throws -> String {
        if try store.read(name, isSecret: true) != nil, let line = try store.read(name + ".pub"), !line.isEmpty {
            return line
        }
        let key = P256.Signing.PrivateKey()
        let line = "ecdsa-sha2-nistp256 \(Self.sshKey(key.publicKey).base64EncodedString())\n"
        try store.write(Self.pem(key), to: name)
        try store.write(line, to: name + ".pub")
        return line
    }

    /// RFC 5656 section 3.1.
    private static func sshKey(_ key: P256.Signing.PublicKey) -> Data {
        var bytes = Data()
        for field in [Data("ecdsa-sha2-nistp256".utf8), Data("nistp256".utf8), key.x963Representation] {
            withUnsafeBytes(of: UInt32(field.count).bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(field)
        }
        return bytes
    }

    /// `EC PRIVATE KEY` of RFC 5915: every length in it is known.
    private static func pem(_ key: P256.Signing.PrivateKey) -> String {
        var der = Data([0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20]) + key.rawRepresentation
        der += [0xA0, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0xA1, 0x44, 0x03, 0x42, 0x00]
        der += key.publicKey.x963Representation
        let body = der.base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
        return "-----BEGIN EC PRIVATE KEY-----\n\(body)\n-----END EC PRIVATE KEY-----\n"
    }

    /// A server's words, short and printable.
    private static func line(_ text: String) -> String {
        String(text.prefix(200).map { $0.isASCII && !$0.isNewline && $0 >= " " ? $0 : " " })
    }

    private struct Question: Encodable {
        var publicKey: String
        var jwt: String
        var issuer: String

        enum CodingKeys: String, CodingKey {
            case publicKey = "public_key"
            case jwt, issuer
        }
    }

    private struct Certificate: Decodable {
        var certificate: String
    }

    private struct Refusal: Decodable {
        var status: Int
        var message: String
    }
}
