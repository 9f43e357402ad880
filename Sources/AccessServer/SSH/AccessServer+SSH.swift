import Access
import AccessPolicy
import Crypto
import EdgeStore
import Foundation
import Logging
import NIOCore

/// Certificates for SSH, from a token of the application (access-protocol sections 2.14 and 3.14).
extension AccessServer {
    private struct Wanted: Decodable {
        let publicKey: String
        let jwt: String
        let issuer: String
    }

    private struct Signed: Encodable {
        let id: String
        let certificate: String
        let expiresAt: Date
    }

    /// From a minute ago, for clocks that lag, to three minutes ahead: enough to connect.
    private static let past = 60
    private static let future = 180

    func signCertificate(_ call: Call) async -> AccessResponse {
        var about: (application: AccessApplication.ID?, session: AccessSession?) = (nil, nil)
        func refuse(_ status: Int, _ message: String) -> AccessResponse {
            note(.certificate, "refused", call) {
                $0.application = about.application
                if let session = about.session { $0.describe(session) }
                $0.reason = message
            }
            return .json(Problem(status: status, message: message), status: status)
        }
        guard
            let wanted = try? JSONDecoder.snakeCase.decode(Wanted.self, from: Data(call.request.body.readableBytesView))
        else {
            return refuse(400, "the request is not public_key, jwt and issuer in JSON")
        }
        guard wanted.issuer == names().issuer else { return refuse(400, "the issuer is another one") }
        guard let key = SSHPublicKey(line: wanted.publicKey) else {
            return refuse(400, "the public key is not ecdsa-sha2-nistp256 or ssh-ed25519")
        }
        guard let body = await body(of: wanted.jwt, kind: .app), let claims = TokenClaims(body, kind: .app),
            let audience = claims.audience.first,
            let session = policies.snapshot.session(of: claims, audience: audience, now: now())
        else { return refuse(401, "the token is not valid, or its session has ended") }
        about = (applicationID(of: audience), session)
        guard let application = policies.snapshot.configuration.applications.first(where: { $0.audience == audience }),
            application.kind == .ssh
        else { return refuse(403, "the application is none of type ssh") }
        // Any host that the application guards: its policies are the same everywhere.
        guard let domain = application.domains.first,
            case .admitted = verdict(
                on: session.identity, audience: audience, host: domain.host.text.replacing("*", with: "a"),
                path: "/" + domain.path.text.replacing("*", with: "a").dropFirst(), call: call)
        else { return refuse(403, "no policy lets you in") }
        let principals = session.profile.email.map(Self.principals(of:)) ?? []
        guard !principals.isEmpty else {
            return refuse(403, "the login has no verified address that makes a user name")
        }
        do {
            let signed = try await certificate(
                for: key, principals: principals, id: body.jti ?? session.id, by: keys.authority(of: application.id))
            note(.certificate, "ok", call) {
                $0.application = application.id
                $0.describe(session)
            }
            return .json(signed)
        } catch {
            logger.error("SSH certificate cannot be signed", metadata: ["error": "\(error)"])
            return refuse(500, "the edge failed; see its log")
        }
    }

    private func certificate(
        for key: SSHPublicKey, principals: [String], id: String, by authority: P256.Signing.PrivateKey
    ) throws -> Signed {
        let time = now().wholeSeconds
        var generator = SystemRandomNumberGenerator()
        let certificate = SSHCertificate(
            key: key, serial: generator.next(), keyID: id, principals: principals,
            validAfter: UInt64(time - Self.past), validBefore: UInt64(time + Self.future),
            nonce: (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
        return Signed(
            id: id, certificate: try certificate.line(signedBy: authority),
            expiresAt: Date(timeIntervalSince1970: Double(time + Self.future)))
    }

    /// The part before the `@`, as Cloudflare has it, and the whole address, for servers that have people of several
    /// domains. A principal is a plain name, no pattern or list; and nobody becomes root, or another account of the system,
    /// by the name of a mailbox.
    static func principals(of email: String) -> [String] {
        // Before it is folded: some letters of others become ASCII then, and their owner somebody else.
        guard email.utf8.allSatisfy({ $0 < 0x80 }) else { return [] }
        let address = email.lowercased()
        guard let at = address.lastIndex(of: "@"), address.utf8.count <= 128 else { return [] }
        func isPlain(_ name: Substring) -> Bool {
            name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || ".-_+".utf8.contains(byte)
            }
        }
        let (name, domain) = (address[..<at], address[at...].dropFirst())
        guard !name.isEmpty, !domain.isEmpty, isPlain(name), isPlain(domain) else { return [] }
        let isOfSystem =
            systemAccounts.contains(String(name)) || name.hasPrefix("systemd-") || ".-_+".contains(name.first ?? ".")
        return (isOfSystem || name.utf8.count > 64 ? [] : [String(name)]) + [address]
    }

    /// Debian's accounts below 1000 (base-passwd), and what else administrators call themselves.
    private static let systemAccounts: Set = [
        "root", "toor", "admin", "administrator", "sudo", "wheel", "daemon", "bin", "sys", "sync", "games", "man", "lp",
        "mail", "news", "uucp", "proxy", "www-data", "backup", "list", "irc", "gnats", "nobody", "sshd", "messagebus",
        "postgres", "mysql", "redis", "nginx", "git", "docker", "jenkins", "ansible", "deploy", "vagrant",
        "cloudflared",
        "ubuntu", "debian", "centos", "fedora", "pi", "opc", "ec2-user", "azureuser",
    ]

    /// For `TrustedUserCAKeys`.
    func authorityLine(of application: AccessApplication?) async -> AccessResponse {
        guard let application, application.kind == .ssh else {
            return .plain(
                status: 404,
                body: "Each application of type ssh has an authority of its own: ask its host for this page.\n")
        }
        do {
            let key = SSHPublicKey(try await keys.authority(of: application.id).publicKey)
            return .plain(status: 200, body: "\(key.line) cloudflared-edge \(application.id)\n")
        } catch {
            return failed(error, ray: "")
        }
    }
}
