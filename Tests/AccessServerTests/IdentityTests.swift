import Access
import AccessPolicy
import Crypto
import EdgeStore
import Foundation
import NIOHTTP1
import Testing

@testable import AccessServer

/// What every host of the team answers, and the keys behind the tokens.
struct IdentityTests {
    private struct Identity: Decodable {
        let email: String
        let userUuid: String
        let groups: [String]
        let idp: [String: String]
    }

    private static let path = "/cdn-cgi/access/"

    @Test func `who is logged in, at the application and at the team domain`() async throws {
        try await withTeam { team, _, browser in
            _ = try await browser.open(LoginTests.app)
            for host in ["app", "acme"] {
                let answer = try await browser.send("GET", "https://\(host).site.test:8443\(Self.path)get-identity")
                let identity = try JSONDecoder.snakeCase.decode(Identity.self, from: Data(answer.body.utf8))
                #expect(identity.email == "alice@site.test")
                #expect(identity.groups.sorted() == ["engineering", "rdp-users"])
                #expect(identity.idp == ["id": "idp", "type": "oidc"])
            }
            let stranger = try await Browser(team).send("GET", "https://app.site.test:8443\(Self.path)get-identity")
            #expect(stranger.status == 401)
        }
    }

    @Test(arguments: ["app", "acme"]) func `a logout ends the session everywhere`(host: String) async throws {
        try await withTeam { team, _, browser in
            _ = try await browser.open(LoginTests.app)
            _ = try await browser.open("https://other.site.test:8443/")
            let answer = try await browser.send("GET", "https://\(host).site.test:8443\(Self.path)logout")
            #expect(answer.status == 200)
            #expect(browser.cookie(Cookies.authorization, at: "\(host).site.test") == nil)
            #expect(team.policies.snapshot.sessions.isEmpty)
            #expect(try await browser.send("GET", "https://other.site.test:8443/").status == 302)
        }
    }

    @Test func `a link on another site does not log anybody out by itself`() async throws {
        try await withTeam { team, _, browser in
            _ = try await browser.open(LoginTests.app)
            let url = "https://app.site.test:8443\(Self.path)logout"
            let question = try await browser.send("GET", url, headers: ["sec-fetch-site": "cross-site"])
            #expect(team.policies.snapshot.sessions.count == 1)
            #expect(try await browser.send("POST", url, form: "csrf=AAAA").status == 400)
            let form = try #require(TransferTests.token(of: question.body))
            let foreign = try await browser.send(
                "POST", url, form: "csrf=\(form)", headers: ["origin": "https://evil.test"])
            #expect(foreign.status == 400)
            #expect(team.policies.snapshot.sessions.count == 1)
            #expect(try await browser.send("POST", url, form: "csrf=\(form)").status == 200)
            #expect(team.policies.snapshot.sessions.isEmpty)
        }
    }

    // MARK: Keys

    private struct KeySet: Decodable {
        struct Key: Decodable {
            let kid, kty, alg, use, e, n: String
        }

        struct PublicCertificate: Decodable {
            let kid, cert: String
        }

        let keys: [Key]
        let publicCert: PublicCertificate
        let publicCerts: [PublicCertificate]
    }

    private func keys(_ team: TeamFixture) async throws -> KeySet {
        let answer = try await Browser(team).send("GET", "https://acme.site.test:8443\(Self.path)certs")
        #expect(answer.headers.first(name: "cache-control") == "max-age=3600")
        return try JSONDecoder.snakeCase.decode(KeySet.self, from: Data(answer.body.utf8))
    }

    @Test func `keys are published before they sign, and after`() async throws {
        let team = try await TeamFixture(providers: [])
        let first = try await keys(team)
        let old = try #require(first.keys.first)
        #expect(old.kty == "RSA" && old.alg == "RS256" && old.use == "sig" && old.e == "AQAB" && old.kid.count == 64)
        #expect(first.publicCert.kid == old.kid)
        #expect(first.publicCert.cert.hasPrefix("-----BEGIN CERTIFICATE-----"))
        let application = try #require(team.application("app"))
        func signer() async throws -> String? {
            let admission = AccessDecision.Admission(
                subject: .serviceToken(ServiceTokenID(rawValue: "x.access")), expires: team.now + 60)
            let token = try #require(await team.server.assertion(for: application, admission: admission))
            #expect(await team.server.claims(of: token, kind: .app)?.serviceTokenID?.rawValue == "x.access")
            return CompactToken(token)?.keyID
        }
        #expect(try await signer() == old.kid)

        team.pass(42 * 86_400)
        try await team.server.prepare()
        let both = try await keys(team).keys
        #expect(both.count == 2)
        #expect(try await signer() == old.kid)
        team.pass(2 * 3600)
        try await team.server.prepare()
        let new = try #require(both.first { $0.kid != old.kid })
        #expect(try await signer() == new.kid)
        #expect(try await keys(team).keys.count == 2)

        // The last token of the old one has ended.
        team.pass(32 * 86_400)
        try await team.server.prepare()
        #expect(try await keys(team).keys.map(\.kid) == [new.kid])
    }

    @Test func `a key that another edge has made counts at once`() async throws {
        let team = try await TeamFixture(providers: [])
        let other = try await TeamFixture(providers: [])
        let (id, pem) = try TokenSigner.generateKey()
        for store in [team.store, other.store] {
            try await store.addSigningKey(
                SigningKey(
                    id: id, purpose: .tokens, privateKeyPEM: pem, createdAt: team.now, signsFrom: team.now + 1))
        }
        other.pass(2)
        try await other.server.prepare()
        let application = try #require(other.application("app"))
        let admission = AccessDecision.Admission(
            subject: .serviceToken(ServiceTokenID(rawValue: "x.access")), expires: team.now + 60)
        let token = try #require(await other.server.assertion(for: application, admission: admission))
        #expect(CompactToken(token)?.keyID == id)
        team.pass(2)
        #expect(await team.server.claims(of: token, kind: .app) != nil)
    }
}

/// Certificates for SSH (access-protocol section 3.14).
struct CertificateTests {
    private struct Signed: Decodable {
        let id, certificate, expiresAt: String
    }

    private static let url = "https://acme.site.test:8443/cdn-cgi/access/cert_sign"

    private func ask(
        _ team: TeamFixture, key: String, token: String, issuer: String = "https://acme.site.test:8443"
    ) async throws -> Browser.Answer {
        let body = try JSONEncoder().encode(["public_key": key, "jwt": token, "issuer": issuer])
        return try await Browser(team).send("POST", Self.url, form: String(decoding: body, as: UTF8.self))
    }

    private func login(_ browser: Browser, _ host: String = "ssh") async throws -> String {
        _ = try await browser.open("https://\(host).site.test:8443/")
        return try #require(browser.cookie(Cookies.authorization, at: "\(host).site.test"))
    }

    @Test func `a certificate is what OpenSSH expects, and signed by the authority that is published`() async throws {
        try await withTeam { team, _, browser in
            let token = try await login(browser)
            let own = SSHPublicKey(P256.Signing.PrivateKey().publicKey)
            let answer = try await ask(team, key: own.line + "\n", token: token)
            #expect(answer.status == 200)
            let signed = try JSONDecoder.snakeCase.decode(Signed.self, from: Data(answer.body.utf8))
            #expect(signed.expiresAt == "2027-01-15T08:03:00Z")
            let words = signed.certificate.split(separator: " ")
            #expect(words[0] == "ecdsa-sha2-nistp256-cert-v01@openssh.com")
            let bytes = Array(try #require(Data(base64Encoded: String(words[1]))))
            var reader = SSHReader(bytes)
            #expect(reader.string() == Array("ecdsa-sha2-nistp256-cert-v01@openssh.com".utf8))
            #expect(reader.string()?.count == 32)
            #expect(reader.string() == own.fields[0] && reader.string() == own.fields[1])

            let authority = try #require(try await self.authority(of: "ssh", team))
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(text.contains("alice") && text.contains("permit-pty"))
            #expect(Data(bytes).range(of: Data(authority.blob)) != nil)
        }
    }

    private func authority(of host: String, _ team: TeamFixture) async throws -> SSHPublicKey? {
        let url = "https://\(host).site.test:8443/cdn-cgi/access/ssh_ca.pub"
        return SSHPublicKey(line: try await Browser(team).send("GET", url).body)
    }

    @Test func `each application has an authority of its own, and keeps it`() async throws {
        let team = try await TeamFixture(providers: [])
        #expect(try await authority(of: "app", team) == nil)
        #expect(try await authority(of: "acme", team) == nil)
        let published = try #require(try await authority(of: "ssh", team))
        let keys = team.server.keys
        let id = try #require(team.application("ssh")?.id)
        #expect(SSHPublicKey(try await keys.authority(of: id).publicKey).blob == published.blob)
        #expect(SSHPublicKey(try await keys.authority(of: id + "2").publicKey).blob != published.blob)
    }

    @Test func `whoever has no right to a certificate gets none, and the reason`() async throws {
        try await withTeam { team, provider, browser in
            let token = try await login(browser)
            let key = SSHPublicKey(P256.Signing.PrivateKey().publicKey).line
            #expect(try await ask(team, key: key, token: token, issuer: "https://evil.test").status == 400)
            #expect(try await ask(team, key: "ssh-rsa AAAA", token: token).status == 400)
            #expect(try await ask(team, key: "", token: token).status == 400)
            #expect(try await ask(team, key: key, token: token + "A").status == 401)
            let org = try #require(browser.cookie(Cookies.authorization, at: "acme.site.test"))
            #expect(try await ask(team, key: key, token: org).status == 401)
            let other = try await login(browser, "app")
            let refused = try await ask(team, key: key, token: other)
            #expect(refused.status == 403)
            #expect(refused.body.contains("\"message\":") && refused.body.contains("\"status\":403"))
            _ = await team.store.endSessions(.all, at: team.now)
            try await team.policies.refreshNow()
            #expect(try await ask(team, key: key, token: token).status == 401)
        }
    }

    @Test(
        arguments: [
            ("alice@a.test", ["alice", "alice@a.test"]), ("A.B+c@a.test", ["a.b+c", "a.b+c@a.test"]),
            ("root@a.test", ["root@a.test"]), ("ROOT@a.test", ["root@a.test"]), ("-x@a.test", ["-x@a.test"]),
            ("systemd-network@a.test", ["systemd-network@a.test"]), ("a,b@a.test", []), ("@a.test", []),
            ("a*@a.test", []), ("root\n@a.test", []), ("ä@a.test", []), ("\u{212A}im@a.test", []), ("a@", []),
            ("a@b,root", []), ("a", []),
        ] as [(String, [String])])
    func `a principal is a plain name, and none of the system's`(email: String, principals: [String]) {
        #expect(AccessServer.principals(of: email) == principals)
    }
}

extension CertificateTests {
    private static let keygen = "/usr/bin/ssh-keygen"

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: keygen)))
    func `OpenSSH reads the certificate`() async throws {
        let authority = P256.Signing.PrivateKey()
        let certificate = SSHCertificate(
            key: SSHPublicKey(P256.Signing.PrivateKey().publicKey), serial: 7, keyID: "id", principals: ["alice"],
            validAfter: 1_800_000_000, validBefore: 1_800_000_240, nonce: Array(repeating: 1, count: 32))
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString)-cert.pub")
        try (try certificate.line(signedBy: authority) + "\n").write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let (process, output) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: Self.keygen)
        process.arguments = ["-L", "-f", file.path]
        process.environment = ["TZ": "UTC"]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(text.contains("ecdsa-sha2-nistp256-cert-v01@openssh.com user certificate"))
        #expect(text.contains("alice") && text.contains("Serial: 7") && text.contains("permit-agent-forwarding"))
        #expect(text.contains("Valid: from 2027-01-15T08:00:00 to 2027-01-15T08:04:00"))
    }
}
