import Access
import Crypto
import EdgeStore
import Foundation
import Testing

@testable import AccessServer

/// What the service itself writes into the audit log, as it stands in the file.
struct AuditTests {
    private struct Line: Decodable, Equatable {
        var action: String
        var outcome: String
        var application: String?
        var user: String?
        var address: String?
        var reason: String?

        /// By the browser that all do.
        init(_ action: String, _ outcome: String, _ application: String?, _ user: String?, _ reason: String? = nil) {
            (self.action, self.outcome, self.application) = (action, outcome, application)
            (self.user, self.reason) = (user, reason)
            address = "192.0.2.7"
        }
    }

    private static let alice = "alice@site.test"

    /// All that was recorded up to now.
    private func lines(_ log: AuditLog) async throws -> [Line] {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await log.run() }
            group.cancelAll()
        }
        let chain = try AuditLog.verify(log: log.path)
        #expect(chain.faults.isEmpty)
        return try String(contentsOfFile: log.path, encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
    }

    private func sign(_ browser: Browser, token: String, key: String) async throws -> Int {
        let body = try JSONEncoder().encode([
            "public_key": key, "jwt": token, "issuer": "https://acme.site.test:8443",
        ])
        return try await browser.send(
            "POST", "https://acme.site.test:8443/cdn-cgi/access/cert_sign",
            form: String(decoding: body, as: UTF8.self)
        ).status
    }

    @Test func `a login, a consent, certificates, a denial and a logout, each with who and where`() async throws {
        try await withTeam { team, _, browser in
            defer { try? FileManager.default.removeItem(atPath: team.audit.path) }
            _ = try await browser.open("https://ssh.site.test:8443/")
            let ssh = try #require(browser.cookie(Cookies.authorization, at: "ssh.site.test"))
            let key = SSHPublicKey(P256.Signing.PrivateKey().publicKey).line
            let signed = try await sign(browser, token: ssh, key: key)
            #expect(signed == 200)
            _ = try await browser.open(LoginTests.app)
            let app = try #require(browser.cookie(Cookies.authorization, at: "app.site.test"))
            let refused = try await sign(browser, token: app, key: key)
            #expect(refused == 403)

            let own = try #require(SealedBox.KeyPair.generate())
            let program = Browser(team)
            let handed = try await TransferTests.whilePolling(
                program, "https://login.site.test:8443/transfer/\(own.publicKey.text)"
            ) {
                let (url, page) = try await browser.open(TransferTests.link(own.publicKey))
                let form = try #require(TransferTests.token(of: page.body))
                #expect(try await browser.send("POST", url, form: "csrf=\(form)&decision=allow").status == 200)
            }
            #expect(handed.status == 200)

            #expect(try await browser.open("https://closed.site.test:8443/").answer.status == 403)
            _ = try await browser.send("GET", "https://acme.site.test:8443/cdn-cgi/access/logout")
            let expected = [
                Line("login", "ok", "ssh", Self.alice), Line("admit", "ok", "ssh", Self.alice),
                Line("certificate", "ok", "ssh", Self.alice), Line("admit", "ok", "app", Self.alice),
                Line("certificate", "refused", "app", Self.alice, "the application is none of type ssh"),
                Line("consent", "ok", "app", Self.alice), Line("deny", "refused", "closed", Self.alice),
                Line("end", "ok", nil, Self.alice, "logout"),
            ]
            let found = try await lines(team.audit)
            #expect(found == expected)
            let text = try String(contentsOfFile: team.audit.path, encoding: .utf8)
            #expect(!text.contains(ssh) && !text.contains(app) && !text.contains(key))
        }
    }

    @Test func `somebody who is refused at the login has an address in the log and no session`() async throws {
        try await withTeam { team, _, browser in
            defer { try? FileManager.default.removeItem(atPath: team.audit.path) }
            #expect(try await browser.open("https://closed.site.test:8443/").answer.status == 403)
            let found = try await lines(team.audit)
            #expect(found == [Line("deny", "refused", "closed", Self.alice)])
            let text = try String(contentsOfFile: team.audit.path, encoding: .utf8)
            #expect(!text.contains("\"session\""))
        }
    }
}
