import Access
import AccessPolicy
import EdgeStore
import Foundation
import JWTKit
import NIOHTTP1
import Synchronization
import Testing

@testable import AccessServer

/// People who log in, over a real provider's protocol.
struct LoginTests {
    static let app = "https://app.site.test:8443/start?a=b"

    @Test func `somebody logs in, step by step`() async throws {
        try await withTeam { team, provider, browser in
            let first = try await browser.send("GET", Self.app)
            #expect(first.status == 302)
            #expect(
                first.location.hasPrefix(
                    "https://acme.site.test:8443/cdn-cgi/access/login/app.site.test:8443?kid=aaaa&redirect_url=%2Fstart%3Fa%3Db&meta="
                ))
            #expect(first.headers.first(name: "cache-control") == "no-store")
            let appSession = try #require(first.headers.first(name: "set-cookie"))
            #expect(appSession.contains("; Path=/; Secure; HttpOnly; SameSite=None; Expires="))

            let login = try await browser.send("GET", first.location)
            #expect(login.status == 302)
            #expect(login.location.hasPrefix("\(provider.issuer)/authorize?response_type=code&client_id=edge"))
            let sent = try await browser.send("GET", login.location)
            #expect(sent.location.hasPrefix("https://acme.site.test:8443/cdn-cgi/access/callback?code="))

            let back = try await browser.send("GET", sent.location)
            #expect(back.location.hasPrefix("https://app.site.test:8443/cdn-cgi/access/authorized?nonce="))
            #expect(browser.cookie(Cookies.authorization, at: "acme.site.test") != nil)

            let authorized = try await browser.send("GET", back.location)
            #expect(authorized.status == 302)
            #expect(authorized.location == "/start?a=b")
            let cookie = try #require(authorized.headers.first(name: "set-cookie"))
            #expect(cookie.contains("; Path=/; Secure; HttpOnly; SameSite=Lax; Expires=Sat, 16 Jan 2027 08:00:00 GMT"))
            let page = try await browser.send("GET", Self.app)
            #expect(page.body == "origin of app")
        }
    }

    @Test func `what the token of an application says`() async throws {
        try await withTeam { team, _, browser in
            _ = try await browser.open(Self.app)
            let token = try #require(browser.cookie(Cookies.authorization, at: "app.site.test"))
            let body = try #require(await team.server.body(of: token, kind: .app))
            let session = try #require(team.policies.snapshot.sessions.values.first)
            #expect(body.aud == .list(["aaaa"]))
            #expect(body.iss == "https://acme.site.test:8443")
            #expect(body.iat == 1_800_000_000 && body.nbf == 1_800_000_000 && body.exp == 1_800_086_400)
            #expect(body.email == "alice@site.test")
            #expect(body.sub == session.profile.userID && body.sid == session.id)
            #expect(body.custom?["groups"]?.texts.sorted() == ["engineering", "rdp-users"])
            #expect(UUID(uuidString: session.profile.userID) != nil)
            #expect(session.profile.authMethods == ["pwd"])
            let org = try #require(browser.cookie(Cookies.authorization, at: "acme.site.test"))
            let team = try #require(await team.server.body(of: org, kind: .org))
            #expect(team.aud.values != ["aaaa"] && team.cli == nil)
        }
    }

    @Test func `the next application opens without another login, to a program by HEAD as well`() async throws {
        try await withTeam { team, provider, browser in
            _ = try await browser.open(Self.app)
            let (_, answer) = try await browser.open("https://other.site.test:8443/")
            #expect(answer.body == "origin of other")
            #expect(provider.state.withLock { $0.keyReads } == 1)

            // Section 2.8, with the token of a program.
            let session = try #require(team.policies.snapshot.sessions.values.first)
            let program = Browser(team)
            let org = try await team.server.teamToken(for: session, isTransferred: true).text
            let first = try await program.send("HEAD", "https://app.site.test:8443/")
            program.set(Cookies.authorization, org, at: "acme.site.test")
            let login = try await program.send("HEAD", first.location)
            #expect(login.location.hasPrefix("https://app.site.test:8443/cdn-cgi/access/authorized?nonce="))
            let authorized = try await program.send("HEAD", login.location)
            #expect(authorized.status == 302)
            #expect(program.cookie(Cookies.authorization, at: "app.site.test") != nil)
        }
    }

    @Test func `the login page tells older clients by HEAD what they ask for, and begins nothing`() async throws {
        try await withTeam { team, _, browser in
            let first = try await browser.send("HEAD", Self.app)
            let login = try await browser.send("HEAD", first.location)
            #expect(login.status == 200)
            #expect(login.headers.first(name: "cf-access-domain") == "app.site.test")
            #expect(login.headers.first(name: "cf-access-aud") == "aaaa")
            #expect(team.server.logins.count == 0)
        }
    }

    @Test func `whom no policy lets in sees why, and has no session`() async throws {
        try await withTeam { team, _, browser in
            let (_, answer) = try await browser.open("https://closed.site.test:8443/")
            #expect(answer.status == 403)
            #expect(answer.body.contains("alice@site.test"))
            #expect(browser.cookie(Cookies.authorization, at: "acme.site.test") == nil)
            #expect(team.policies.snapshot.sessions.isEmpty)
        }
    }

    @Test func `an address that the provider has not verified opens nothing`() async throws {
        try await withTeam { team, provider, browser in
            provider.set { $0.person["email_verified"] = .bool(false) }
            let (_, answer) = try await browser.open(Self.app)
            #expect(answer.status == 403)
            let (_, other) = try await browser.open("https://other.site.test:8443/")
            #expect(other.body == "origin of other")
        }
    }

    @Test func `what the token leaves out is asked of userinfo, about the same person only`() async throws {
        try await withTeam { team, provider, browser in
            provider.set { state in
                state.left = ["groups"]
                state.userinfo = [
                    "sub": .string("alice-1"), "groups": .array([.string("rdp-users")]),
                    "email": .string("x@else.test"),
                ]
            }
            let (_, answer) = try await browser.open("https://other.site.test:8443/")
            #expect(answer.body == "origin of other")
            let session = try #require(team.policies.snapshot.sessions.values.first)
            #expect(session.profile.email == "alice@site.test")
            provider.set { $0.userinfo?["sub"] = .string("mallory") }
            let (_, refused) = try await Browser(team, provider: provider).open("https://other.site.test:8443/")
            #expect(refused.status == 403 && refused.body.contains("userinfo"))
        }
    }

    @Test func `the same person has the same id at each login`() async throws {
        try await withTeam { team, provider, browser in
            _ = try await browser.open(Self.app)
            _ = try await Browser(team, provider: provider).open(Self.app)
            let sessions = team.policies.snapshot.sessions.values
            #expect(sessions.count == 2)
            #expect(Set(sessions.map(\.profile.userID)).count == 1)
        }
    }

    @Test func `a new key of the provider is found`() async throws {
        try await withTeam { team, provider, browser in
            _ = try await browser.open(Self.app)
            provider.set { state in
                state.key = .init()
                state.keyID = "second"
            }
            team.pass(2)
            let (_, answer) = try await Browser(team, provider: provider).open(Self.app)
            #expect(answer.body == "origin of app")
            #expect(provider.state.withLock { $0.keyReads } == 2)
        }
    }

    @Test func `with several providers there is a choice`() async throws {
        let provider = try ProviderDouble()
        try await provider.whileServing {
            let team = try await TeamFixture(providers: [provider.record(), provider.record(id: "second<>")])
            let browser = Browser(team, provider: provider)
            let (url, choice) = try await browser.open(Self.app)
            #expect(choice.status == 200)
            #expect(choice.body.contains("Provider idp") && choice.body.contains("Provider second&lt;&gt;"))
            #expect(!choice.body.contains("<script"))
            let (_, answer) = try await browser.open(url + "&idp=idp")
            #expect(answer.body == "origin of app")
        }
    }

    @Test func `without a provider there is a page that says so`() async throws {
        let team = try await TeamFixture(providers: [])
        let (_, answer) = try await Browser(team).open("https://app.site.test:8443/")
        #expect(answer.status == 503)
        #expect(answer.body.contains("identity_providers"))
    }
}
