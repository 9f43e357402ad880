import Access
import AccessPolicy
import EdgeStore
import Foundation
import NIOHTTP1
import Synchronization
import Testing

@testable import AccessServer

/// Attacks on a login (access-protocol section 3.13); each must fail.
struct LoginAttackTests {
    /// Goes as far as the provider, and gives the URL of the callback.
    private func callback(_ browser: Browser, _ url: String = LoginTests.app) async throws -> String {
        let first = try await browser.send("GET", url)
        let login = try await browser.send("GET", first.location)
        return try await browser.send("GET", login.location).location
    }

    private func changed(_ url: String, _ name: String, to value: String?) throws -> String {
        var parts = try #require(URLComponents(string: url))
        parts.queryItems = parts.queryItems?.compactMap { item in
            item.name == name ? value.map { URLQueryItem(name: name, value: $0) } : item
        }
        return try #require(parts.string)
    }

    // MARK: 1. State

    @Test func `a state that was used is worth nothing`() async throws {
        try await withTeam { _, _, browser in
            let callback = try await callback(browser)
            #expect(try await browser.send("GET", callback).status == 302)
            #expect(try await browser.send("GET", callback).status == 400)
        }
    }

    @Test func `a state that was stolen is worth nothing in another browser`() async throws {
        try await withTeam { team, provider, browser in
            let callback = try await callback(browser)
            let thief = Browser(team, provider: provider)
            _ = try await self.callback(thief)
            let answer = try await thief.send("GET", callback)
            #expect(answer.status == 400)
            #expect(thief.cookie(Cookies.authorization, at: "acme.site.test") == nil)
            // Nor for its owner any more.
            #expect(try await browser.send("GET", callback).status == 400)
        }
    }

    @Test func `a state that was guessed, or is late, or sent twice, is worth nothing`() async throws {
        try await withTeam { team, _, browser in
            let first = try await callback(browser)
            #expect(try await browser.send("GET", try changed(first, "state", to: RandomText.token())).status == 400)
            #expect(try await browser.send("GET", first + "&state=other").status == 400)
            team.pass(600)
            #expect(try await browser.send("GET", first).status == 400)
        }
    }

    @Test func `a login that a page of another site began does not log its victim in as the attacker`() async throws {
        try await withTeam { team, provider, browser in
            let attacker = Browser(team, provider: provider)
            let callback = try await callback(attacker)
            let answer = try await browser.send("GET", callback)
            #expect(answer.status == 400)
            #expect(answer.headers["set-cookie"].isEmpty)
        }
    }

    // MARK: 2. The provider's tokens

    @Test func `an injected code of another login is refused by its verifier`() async throws {
        try await withTeam { team, provider, browser in
            let victim = try await callback(Browser(team, provider: provider))
            let code = try #require(
                URLComponents(string: victim)?.queryItems?.first { $0.name == "code" }?.value)
            let own = try await callback(browser)
            let answer = try await browser.send("GET", try changed(own, "code", to: code))
            #expect(answer.status == 403)
            #expect(answer.body.contains("token endpoint"))
            #expect(team.policies.snapshot.sessions.isEmpty)
        }
    }

    @Test(arguments: [
        ("iss", JSONValue.string("https://evil.test")), ("aud", .string("another")), ("aud", .array([])),
        ("aud", .array([.string("edge"), .string("another")])), ("azp", .string("another")),
        ("nonce", .string("old")), ("exp", .number(1_800_000_000)), ("exp", .string("never")),
        ("iat", .number(1_800_000_061)), ("nbf", .number(1_800_000_061)), ("sub", .string("")),
        ("nbf", .string("soon")),
    ])
    func `an ID token that lies is refused`(claim: String, value: JSONValue) async throws {
        try await withTeam { team, provider, browser in
            provider.set { $0.lies = [claim: value] }
            let (_, answer) = try await browser.open(LoginTests.app)
            #expect(answer.status == 403)
            #expect(answer.body.contains("id_token"))
            #expect(team.policies.snapshot.sessions.isEmpty)
        }
    }

    @Test(arguments: ["iss", "aud", "nonce", "exp", "iat", "sub"])
    func `an ID token that leaves something out is refused`(claim: String) async throws {
        try await withTeam { _, provider, browser in
            provider.set { $0.left = [claim] }
            let (_, answer) = try await browser.open(LoginTests.app)
            #expect(answer.status == 403)
        }
    }

    @Test(arguments: ["none", "HS256", "ES384", "RS256"])
    func `an ID token that names another algorithm is refused`(algorithm: String) async throws {
        try await withTeam { _, provider, browser in
            provider.set { state in
                state.token = { token in
                    let parts = token.split(separator: ".")
                    let head = Base64URL.encode(#"{"alg":"\#(algorithm)","kid":"first"}"#.utf8)
                    return "\(head).\(parts[1]).\(algorithm == "none" ? "" : parts[2])"
                }
            }
            let (_, answer) = try await browser.open(LoginTests.app)
            #expect(answer.status == 403)
        }
    }

    @Test func `an ID token of a key that the provider does not publish is refused`() async throws {
        try await withTeam { _, provider, browser in
            provider.set { $0.token = { token in String(token.dropLast(4)) + "AAAA" } }
            let (_, answer) = try await browser.open(LoginTests.app)
            #expect(answer.status == 403)
        }
    }

    @Test func `a callback of another provider is refused`() async throws {
        try await withTeam { _, provider, browser in
            provider.set { $0.issuerOfCallback = "https://evil.test" }
            let (_, answer) = try await browser.open(LoginTests.app)
            #expect(answer.status == 403)
            #expect(answer.body.contains("another provider"))
        }
    }

    @Test func `a callback without the issuer that the provider promised is refused`() async throws {
        try await withTeam { _, _, browser in
            let callback = try await callback(browser)
            #expect(try await browser.send("GET", try changed(callback, "iss", to: nil)).status == 403)
        }
    }

    @Test func `a provider that is not the one that was configured is refused`() async throws {
        try await withTeam { _, provider, browser in
            provider.set { $0.issuerOfDocument = "https://evil.test" }
            let (_, answer) = try await browser.open(LoginTests.app)
            #expect(answer.status == 403)
            #expect(answer.body.contains("another issuer"))
        }
    }

    @Test func `a provider that is broken or down gets a page that names it`() async throws {
        let provider = try ProviderDouble()
        let team = try await provider.whileServing {
            provider.set { $0.isBroken = true }
            let team = try await TeamFixture(providers: [provider.record()])
            let (_, answer) = try await Browser(team, provider: provider).open(LoginTests.app)
            #expect(answer.status == 502)
            #expect(answer.body.contains("discovery document") && answer.body.contains("Provider idp"))
            // It is left alone for a while, however many want to log in.
            provider.set { $0.isBroken = false }
            let browser = Browser(team, provider: provider)
            #expect(try await browser.open(LoginTests.app).answer.status == 502)
            team.pass(6)
            #expect(try await browser.open(LoginTests.app).answer.status == 200)
            team.pass(3601)
            return team
        }
        let (_, answer) = try await Browser(team, provider: provider).open(LoginTests.app)
        #expect(answer.status == 502)
        #expect(answer.body.contains("cannot be reached"))
    }

    @Test func `a provider that does not answer is not waited for`() async throws {
        let provider = try ProviderDouble()
        try await provider.whileServing {
            provider.set { $0.isSlow = true }
            let team = try await TeamFixture(
                providers: [provider.record()], providerPatience: .milliseconds(100))
            let (_, answer) = try await Browser(team, provider: provider).open(LoginTests.app)
            provider.set { $0.isSlow = false }
            #expect(answer.status == 502)
            #expect(answer.body.contains("no answer within"))
        }
    }

    @Test func `a provider whose certificate is not trusted is not asked`() async throws {
        let (provider, stranger) = (try ProviderDouble(), try ProviderDouble())
        try await provider.whileServing {
            var record = provider.record()
            record.authorityFile = stranger.authorityFile
            let team = try await TeamFixture(providers: [record])
            let (_, answer) = try await Browser(team).open(LoginTests.app)
            #expect(answer.status == 502)
            #expect(answer.body.contains("ca_pool"))
        }
    }

    // MARK: 3. Redirects

    @Test(arguments: [
        "//evil.test", "/\\evil.test", "https://evil.test/", "/a\nSet-Cookie: x", "\\/evil.test", "", "evil", "/é",
        "/\t/evil",
    ])
    func `only a path of this host is gone back to`(text: String) {
        #expect(RedirectPath(text) == nil)
    }

    @Test func `the login page believes no other path, host or application than the one that was signed`() async throws
    {
        try await withTeam { team, _, browser in
            let first = try await browser.send("GET", LoginTests.app).location
            // What is not signed does not count.
            let (_, answer) = try await browser.open(try changed(first, "redirect_url", to: "https://evil.test/"))
            #expect(answer.body == "origin of app")
            let path = "/cdn-cgi/access/login/"
            let elsewhere = [
                first.replacing(path + "app.site.test:8443", with: path + "other.site.test:8443"),
                first.replacing(path + "app.site.test:8443", with: path + "evil.test"),
                first.replacing(path + "app.site.test:8443", with: path + "app.site.test:666"),
                first.replacing(path + "app.site.test:8443", with: path + "x@app.site.test:8443"),
                try changed(first, "kid", to: "bbbb"), try changed(first, "meta", to: nil),
                try changed(first, "meta", to: "e30.e30.e30"),
            ]
            for url in elsewhere { #expect(try await Browser(team).send("GET", url).status == 400) }
            team.pass(600)
            #expect(try await Browser(team).send("GET", first).status == 400)
        }
    }

    @Test func `metadata, that anybody gets, begins no login`() async throws {
        try await withTeam { team, _, browser in
            let metadata = try await browser.send(
                "HEAD", LoginTests.app, headers: ["cf-access-metadata-request": "true"])
            let token = try #require(metadata.headers.first(name: "cf-access-metadata"))
            let first = try await browser.send("GET", LoginTests.app).location
            #expect(try await browser.send("GET", try changed(first, "meta", to: token)).status == 400)
            let body = try #require(Base64URL.decode(token.split(separator: ".")[1]))
            let text = String(decoding: body, as: UTF8.self)
            #expect(
                !text.contains("\"iss\"") && text.contains("\"aud\":\"aaaa\"") && text.contains("\"type\":\"match\""))
        }
    }

    // MARK: 4. The way back

    private func wayBack(_ browser: Browser) async throws -> String {
        try await browser.send("GET", try await callback(browser)).location
    }

    @Test func `the way back is gone once`() async throws {
        try await withTeam { _, _, browser in
            let url = try await wayBack(browser)
            #expect(try await browser.send("GET", url).status == 302)
            #expect(try await browser.send("GET", url).status == 400)
        }
    }

    @Test func `the way back lasts a minute`() async throws {
        try await withTeam { team, _, browser in
            let url = try await wayBack(browser)
            team.pass(60)
            #expect(try await browser.send("GET", url).status == 400)
        }
    }

    @Test func `the way back leads into no other browser, application or state`() async throws {
        try await withTeam { team, provider, browser in
            let thief = Browser(team, provider: provider)
            _ = try await thief.send("GET", LoginTests.app)
            #expect(try await thief.send("GET", try await wayBack(browser)).status == 400)
            func bounce() async throws -> String {
                let login = try await browser.send("GET", LoginTests.app).location
                return try await browser.send("GET", login).location
            }
            let other = try await bounce().replacing("app.site.test", with: "other.site.test")
            _ = try await browser.send("GET", "https://other.site.test:8443/")
            browser.set(
                Cookies.appSession, browser.cookie(Cookies.appSession, at: "app.site.test"), at: "other.site.test")
            #expect(try await browser.send("GET", other).status == 400)
            let back = try await bounce()
            #expect(try await browser.send("GET", try changed(back, "state", to: "0")).status == 400)
        }
    }

    @Test func `the way back leads nowhere after the session has ended`() async throws {
        try await withTeam { team, _, browser in
            let url = try await wayBack(browser)
            _ = await team.store.endSessions(.all, at: team.now)
            try await team.policies.refreshNow()
            #expect(try await browser.send("GET", url).status == 400)
        }
    }

    // MARK: 5. Cookies

    @Test func `cookies of the same name that disagree count for nothing`() async throws {
        try await withTeam { team, _, browser in
            _ = try await browser.open(LoginTests.app)
            let token = try #require(browser.cookie(Cookies.authorization, at: "app.site.test"))
            func identity(_ cookie: String) async throws -> Int {
                try await Browser(team).send(
                    "GET", "https://app.site.test:8443/cdn-cgi/access/get-identity", headers: ["cookie": cookie]
                ).status
            }
            #expect(try await identity("CF_Authorization=\(token)") == 200)
            #expect(try await identity("CF_Authorization=\(token); CF_Authorization=\(token)") == 200)
            #expect(try await identity("CF_Authorization=\(token); CF_Authorization=other") == 401)
            #expect(try await identity("CF_Authorization=; CF_Authorization=\(token)") == 401)
            #expect(try await identity("cf_authorization=\(token)") == 401)
        }
    }

    // MARK: 11. Purposes

    @Test func `a token of one place is none at another`() async throws {
        try await withTeam { team, _, browser in
            _ = try await browser.open(LoginTests.app)
            let app = try #require(browser.cookie(Cookies.authorization, at: "app.site.test"))
            let org = try #require(browser.cookie(Cookies.authorization, at: "acme.site.test"))
            let path = "/cdn-cgi/access/get-identity"
            for (host, token) in [("app", org), ("other", app), ("acme", app)] {
                let answer = try await Browser(team).send(
                    "GET", "https://\(host).site.test:8443\(path)", headers: ["cookie": "CF_Authorization=\(token)"])
                #expect(answer.status == 401)
            }
        }
    }

    // MARK: 14. Headers

    @Test func `every answer forbids to keep it, to frame it, and to come without TLS`() async throws {
        try await withTeam { team, _, browser in
            let urls = [
                LoginTests.app, "https://acme.site.test:8443/cdn-cgi/access/login/x",
                "https://acme.site.test:8443/nothing",
                "https://app.site.test:8443/cdn-cgi/access/authorized", "https://login.site.test:8443/transfer/x",
                "https://app.site.test:8443/cdn-cgi/access/cli", "https://acme.site.test:8443/cdn-cgi/access/callback",
                "https://app.site.test:8443/cdn-cgi/access/get-identity", "https://acme.site.test:8443/argotunnel",
            ]
            for url in urls {
                let headers = try await browser.send("GET", url).headers
                #expect(headers.first(name: "cache-control") == "no-store", "\(url)")
                #expect(headers.first(name: "strict-transport-security") != nil, "\(url)")
                #expect(headers.first(name: "x-frame-options") == "DENY", "\(url)")
                #expect(headers.first(name: "content-security-policy")?.contains("frame-ancestors 'none'") == true)
            }
        }
    }

    @Test func `a flood of logins from one place throws out only its own`() {
        let store = OneTimeStore<Int>(lifetime: 600, limit: 100, perNetwork: 4)
        let now = TeamFixture.start
        let first = store.add(0, from: "192.0.2.1", now: now)
        var own: [String] = []
        for number in 0..<50 { own.append(store.add(number, from: "192.0.2.2", now: now)) }
        #expect(store.count == 5)
        #expect(store.take(first, now: now) == 0)
        #expect(own.compactMap { store.take($0, now: now) } == [46, 47, 48, 49])
        // One holder of a network has all addresses of it.
        for number in 0..<50 { _ = store.add(number, from: "2001:db8:1:2::\(number)", now: now) }
        #expect(store.count == 4)
    }

    @Test func `a flood of logins from everywhere throws out the oldest, and turns nobody away`() {
        let store = OneTimeStore<Int>(lifetime: 600, limit: 100, perNetwork: 4)
        let now = TeamFixture.start
        for number in 0..<200 {
            _ = store.add(number, from: "198.51.100.\(number)", now: now + Double(number) / 1000)
            #expect(store.count <= 100)
        }
        let key = store.add(1, from: "203.0.113.1", now: now + 1)
        #expect(store.count > 90)
        #expect(store.take(key, now: now + 2) == 1)
        _ = store.add(1, from: "203.0.113.1", now: now + 601)
    }
}
