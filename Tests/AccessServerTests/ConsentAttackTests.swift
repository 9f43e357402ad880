import Access
import AccessPolicy
import EdgeStore
import Foundation
import NIOHTTP1
import Synchronization
import TestKit
import Testing

@testable import AccessServer

/// Attacks on the handing over of tokens (access-protocol section 3.13, 1 and 9); each must fail.
struct ConsentAttackTests {
    private static let store = "https://login.site.test:8443"

    /// A link that a program waits for, opened by somebody who is logged in.
    private func withQuestion(
        _ body:
            @escaping @Sendable (TeamFixture, ProviderDouble, Browser, _ url: String, _ form: String) async throws ->
            Void
    ) async throws {
        try await withTeam { team, provider, browser in
            let key = try #require(SealedBox.KeyPair.generate()).publicKey
            let answer = try await TransferTests.whilePolling(
                Browser(team), "\(Self.store)/transfer/\(key.text)"
            ) {
                let (url, page) = try await browser.open(TransferTests.link(key))
                try await body(team, provider, browser, url, try #require(TransferTests.token(of: page.body)))
                team.clock.advance(by: .seconds(50))
            }
            #expect(answer.status == 404)
        }
    }

    @Test func `a form without its secret, or with another session's, hands nothing over`() async throws {
        try await withQuestion { team, provider, browser, url, form in
            let other = Browser(team, provider: provider)
            _ = try await other.open(LoginTests.app)
            let (_, page) = try await other.open(url)
            let foreign = try #require(TransferTests.token(of: page.body))
            for field in ["", "csrf=&", "csrf=AAAA&", "csrf=\(foreign)&", "csrf=\(form)&csrf=\(form)&"] {
                let answer = try await browser.send("POST", url, form: "\(field)decision=allow")
                #expect(answer.status == 400)
            }
        }
    }

    @Test func `a form's secret counts for its own program only`() async throws {
        try await withQuestion { team, _, browser, url, form in
            let other = try #require(SealedBox.KeyPair.generate()).publicKey
            let answer = try await browser.send(
                "POST", TransferTests.question(other), form: "csrf=\(form)&decision=allow")
            #expect(answer.status == 400)
        }
    }

    @Test func `a form that a page of another site sends hands nothing over`() async throws {
        try await withQuestion { _, _, browser, url, form in
            let headers: [HTTPHeaders] = [
                ["origin": "https://evil.test"], ["origin": "null"], ["sec-fetch-site": "cross-site"],
                ["sec-fetch-site": "same-site", "origin": "https://app.site.test:8443"],
                ["origin": "https://other.site.test:8443"],
            ]
            for headers in headers {
                let answer = try await browser.send("POST", url, form: "csrf=\(form)&decision=allow", headers: headers)
                #expect(answer.status == 400)
            }
        }
    }

    @Test func `what an origin has seen of a person is not enough to agree for that person`() async throws {
        try await withTeam { team, _, browser in
            let key = try #require(SealedBox.KeyPair.generate()).publicKey
            _ = try await browser.open(LoginTests.app)
            let seen = try #require(browser.cookie(Cookies.authorization, at: "app.site.test"))
            let answer = try await TransferTests.whilePolling(Browser(team), "\(Self.store)/transfer/\(key.text)") {
                let origin = Browser(team)
                for host in ["app.site.test", "acme.site.test"] { origin.set(Cookies.authorization, seen, at: host) }
                let led = try await origin.send("GET", TransferTests.link(key))
                #expect(led.status == 302 && TransferTests.token(of: led.body) == nil)
                let asked = try await origin.send("GET", TransferTests.question(key))
                #expect(asked.status == 400 && TransferTests.token(of: asked.body) == nil)
                for url in [TransferTests.link(key), TransferTests.question(key)] {
                    #expect(try await origin.send("POST", url, form: "decision=allow").status >= 400)
                }
                team.clock.advance(by: .seconds(50))
            }
            #expect(answer.status == 404)
        }
    }

    @Test func `another program that asks between question and answer gets nothing`() async throws {
        try await withQuestion { team, _, browser, url, form in
            let key = url.split(separator: "token=")[1].prefix { $0 != "&" }.replacing("%3D", with: "=")
            let attacker = Browser(team, address: "203.0.113.66")
            let answer = try await TransferTests.whilePolling(attacker, "\(Self.store)/transfer/\(key)") {
                let sent = try await browser.send("POST", url, form: "csrf=\(form)&decision=allow")
                #expect(sent.status == 400)
                team.clock.advance(by: .seconds(50))
            }
            #expect(answer.status == 404)
        }
    }

    @Test func `a page cannot have the visitor's browser ask the store`() async throws {
        let team = try await TeamFixture(providers: [])
        let key = try #require(SealedBox.KeyPair.generate()).publicKey.text
        for headers: HTTPHeaders in [["sec-fetch-site": "cross-site"], ["origin": "https://evil.test"]] {
            let answer = try await Browser(team).send("GET", "\(Self.store)/transfer/\(key)", headers: headers)
            #expect(answer.status == 404)
        }
        #expect(team.server.transfers.waiting == 0)
    }

    @Test func `a link opened by GET hands nothing over`() async throws {
        try await withQuestion { _, _, browser, url, form in
            let answer = try await browser.send("GET", url + "&csrf=\(form)&decision=allow")
            #expect(answer.status == 200)
        }
    }

    @Test func `whoever was logged out meanwhile hands nothing over`() async throws {
        try await withQuestion { team, _, browser, url, form in
            _ = await team.store.endSessions(.all, at: team.now)
            try await team.policies.refreshNow()
            let answer = try await browser.send("POST", url, form: "csrf=\(form)&decision=allow")
            #expect(answer.status == 400)
        }
    }

    @Test func `whom the policy has shut out meanwhile hands nothing over`() async throws {
        try await withQuestion { team, _, browser, url, form in
            let yaml = TeamFixture.applications.replacing("domain: site.test}}", with: "domain: else.test}}")
            let file = try AccessFile.parse(yaml, path: "access.yml")
            try await team.store.changeAccess(
                file.documents.filter { $0.id == "app" }.map { .put($0) }, expecting: nil)
            try await team.policies.refreshNow()
            let answer = try await browser.send("POST", url, form: "csrf=\(form)&decision=allow")
            #expect(answer.status == 403)
        }
    }

    @Test func `a link that no program waits for is not to be allowed`() async throws {
        try await withTeam { _, _, browser in
            let key = try #require(SealedBox.KeyPair.generate()).publicKey
            let (_, page) = try await browser.open(TransferTests.link(key))
            #expect(page.status == 409)
            #expect(TransferTests.token(of: page.body) == nil)
        }
    }

    @Test func `a program that asks from elsewhere is pointed out`() async throws {
        try await withTeam { team, _, browser in
            let key = try #require(SealedBox.KeyPair.generate()).publicKey
            let attacker = Browser(team, address: "203.0.113.66")
            _ = try await TransferTests.whilePolling(attacker, "\(Self.store)/transfer/\(key.text)") {
                let (_, page) = try await browser.open(TransferTests.link(key))
                #expect(page.body.contains("Careful") && page.body.contains("203.0.113.66"))
                team.clock.advance(by: .seconds(50))
            }
        }
    }

    @Test func `a link for another application, host or key is refused`() async throws {
        try await withTeam { _, _, browser in
            _ = try await browser.open(LoginTests.app)
            let key = try #require(SealedBox.KeyPair.generate()).publicKey
            let good = TransferTests.link(key)
            let bad = [
                TransferTests.link(key, aud: "bbbb"), TransferTests.link(key, aud: "ffff"),
                good.replacing("app.site.test%3A8443", with: "evil.test"),
                good.replacing("app.site.test%3A8443", with: "app.site.test%3A8443.evil.test"),
                good.replacing("app.site.test%3A8443", with: "app.site.test%3A8443%40evil.test"),
                good.replacing("redirect_url=https", with: "redirect_url=http"),
                good.replacing("&token=", with: "&token=A"), good.replacing("&token=", with: "&x="),
                good.replacing("aud=aaaa", with: "x=y"), good + "&token=\(Form.encoded(key.text))",
            ]
            for url in bad { #expect(try await browser.send("GET", url).status == 400, "\(url)") }
        }
    }

    @Test func `a key that would seal for everybody gets nothing`() async throws {
        try await withTeam { team, _, browser in
            let zero = try #require(SealedBox.PublicKey(bytes: [UInt8](repeating: 0, count: 32)))
            let answer = try await TransferTests.whilePolling(
                Browser(team), "\(Self.store)/transfer/\(zero.text)"
            ) {
                let (url, page) = try await browser.open(TransferTests.link(zero))
                let form = try #require(TransferTests.token(of: page.body))
                let done = try await browser.send("POST", url, form: "csrf=\(form)&decision=allow")
                #expect(done.status == 409)
                team.clock.advance(by: .seconds(50))
            }
            #expect(answer.status == 404)
        }
    }

    @Test func `names that hold markup do not become any`() async throws {
        try await withTeam { team, provider, browser in
            provider.set { state in
                state.person["name"] = .string("<script>alert(1)</script>")
                state.left = ["email"]
            }
            let (_, page) = try await browser.open("https://closed.site.test:8443/")
            #expect(page.status == 403)
            #expect(!page.body.contains("<script>") && page.body.contains("&lt;script&gt;"))
        }
    }
}
