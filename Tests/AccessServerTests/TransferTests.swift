import Access
import AccessPolicy
import EdgeStore
import Foundation
import NIOHTTP1
import TestKit
import Testing

@testable import AccessServer

/// Programs that get tokens by way of a browser.
struct TransferTests {
    private static let app = "https://app.site.test:8443"
    private static let store = "https://login.site.test:8443"

    private struct Tokens: Decodable {
        let appToken: String
        let orgToken: String
    }

    static func link(_ key: SealedBox.PublicKey, aud: String = "aaaa", extra: String = "&send_org_token=true") -> String
    {
        "\(app)/cdn-cgi/access/cli?aud=\(aud)&edge_token_transfer=true"
            + "&redirect_url=\(Form.encoded("\(app)/start?aud=\(aud)"))&token=\(Form.encoded(key.text))\(extra)"
    }

    /// Where the link leads to: the question is asked at the team domain.
    static func question(_ key: SealedBox.PublicKey, aud: String = "aaaa") -> String {
        link(key, aud: aud).replacing(
            "\(app)/cdn-cgi/access/cli?",
            with: "https://acme.site.test:8443/cdn-cgi/access/cli/app.site.test:8443?")
    }

    /// The hidden field of a page's form.
    static func token(of page: String) -> String? {
        page.firstMatch(of: /name="csrf" value="([^"]+)"/).map { String($0.1) }
    }

    /// Runs `body` while a program waits, and gives what the program got.
    static func whilePolling(
        _ program: Browser, _ url: String, _ body: () async throws -> Void
    ) async throws -> Browser.Answer {
        let waiting = program.team.server.transfers.waiting
        return try await withThrowingTaskGroup(of: Browser.Answer.self) { group in
            group.addTask { try await program.send("GET", url) }
            while program.team.server.transfers.waiting == waiting { await Task.yield() }
            try await body()
            return try #require(try await group.next())
        }
    }

    @Test func `a program gets what its user allows`() async throws {
        try await withTeam { team, provider, browser in
            let own = try #require(SealedBox.KeyPair.generate())
            let answer = try await Self.whilePolling(Browser(team), "\(Self.store)/transfer/\(own.publicKey.text)") {
                let (url, page) = try await browser.open(Self.link(own.publicKey))
                #expect(url == Self.question(own.publicKey))
                #expect(page.status == 200)
                #expect(page.body.contains("The App") && page.body.contains("alice@site.test"))
                #expect(page.body.contains(String(own.publicKey.text.prefix(8))))
                #expect(!page.body.contains("Careful"))
                let form = try #require(Self.token(of: page.body))
                let done = try await browser.send("POST", url, form: "csrf=\(form)&decision=allow")
                #expect(done.status == 200 && done.body.contains("Done"))
            }
            #expect(answer.status == 200)
            let sender = try #require(
                answer.headers.first(name: "service-public-key").flatMap { SealedBox.PublicKey(text: $0) })
            let wire = try #require(Data(base64Encoded: answer.body))
            let plain = try #require(SealedBox.open(Array(wire), from: sender, with: own))
            let tokens = try JSONDecoder.snakeCase.decode(Tokens.self, from: Data(plain))
            #expect(await team.server.claims(of: tokens.appToken, kind: .app)?.audience == ["aaaa"])
            let org = try #require(await team.server.claims(of: tokens.orgToken, kind: .org))
            #expect(org.isTransferred && org.expiresAt <= team.now + 86_400)
            // Taken once.
            let again = try await Self.whilePolling(Browser(team), "\(Self.store)/transfer/\(own.publicKey.text)") {
                team.clock.advance(by: .seconds(50))
            }
            #expect(again.status == 404)
        }
    }

    @Test func `a client of old gets the bare token`() async throws {
        try await withTeam { team, _, browser in
            let own = try #require(SealedBox.KeyPair.generate())
            let answer = try await Self.whilePolling(Browser(team), "\(Self.store)/transfer/\(own.publicKey.text)") {
                let (url, page) = try await browser.open(Self.link(own.publicKey, extra: "&close_interstitial=true"))
                let form = try #require(Self.token(of: page.body))
                let done = try await browser.send("POST", url, form: "csrf=\(form)&decision=allow")
                #expect(done.body.contains("window.close()"))
                #expect(done.headers.first(name: "content-security-policy")?.contains("script-src 'sha256-") == true)
            }
            let sender = try #require(
                answer.headers.first(name: "service-public-key").flatMap { SealedBox.PublicKey(text: $0) })
            let wire = try #require(Data(base64Encoded: answer.body))
            let plain = try #require(SealedBox.open(Array(wire), from: sender, with: own))
            #expect(await team.server.claims(of: String(decoding: plain, as: UTF8.self), kind: .app) != nil)
        }
    }

    @Test func `whoever refuses hands nothing over`() async throws {
        try await withTeam { team, _, browser in
            let own = try #require(SealedBox.KeyPair.generate())
            let answer = try await Self.whilePolling(Browser(team), "\(Self.store)/transfer/\(own.publicKey.text)") {
                let (url, page) = try await browser.open(Self.link(own.publicKey))
                let form = try #require(Self.token(of: page.body))
                let done = try await browser.send("POST", url, form: "csrf=\(form)&decision=refuse")
                #expect(done.body.contains("Refused"))
                team.clock.advance(by: .seconds(50))
            }
            #expect(answer.status == 404)
        }
    }

    @Test func `the store answers clients of old that say they have it`() async throws {
        let team = try await TeamFixture(providers: [])
        let key = try #require(SealedBox.KeyPair.generate()).publicKey.text
        for path in ["transfer/\(key)/ok", "\(key)/ok"] {
            #expect(try await Browser(team).send("PUT", "\(Self.store)/\(path)").status == 200)
        }
        for url in ["https://login.cloudflareaccess.org/x", "\(Self.store)/transfer/short", "\(Self.store)/"] {
            #expect(try await Browser(team).send("GET", url).status == 404)
        }
    }

    @Test func `an application that only covers the team's host hands out no account`() async throws {
        try await withTeam { team, _, browser in
            for domain in ["*.site.test", "acme.site.test", "acme.site.test/argo*"] {
                let yaml = TeamFixture.applications.replacing("acme.site.test/argotunnel", with: "\"\(domain)\"")
                let documents = try AccessFile.parse(yaml, path: "access.yml").documents
                try await team.store.changeAccess(
                    documents.filter { $0.json.contains(domain) }.map { .put($0) }, expecting: nil)
                try await team.policies.refreshNow()
                let key = try #require(SealedBox.KeyPair.generate()).publicKey.text
                let (_, page) = try await browser.open(
                    "https://acme.site.test:8443/argotunnel?callback="
                        + Form.encoded("https://login.cloudflareaccess.org/\(key)"))
                #expect(page.status == 404, "\(domain)")
            }
        }
    }

    @Test func `the account's certificate goes to whom the policy names, and to nobody else`() async throws {
        try await withTeam { team, provider, browser in
            let key = try #require(SealedBox.KeyPair.generate()).publicKey.text
            let page =
                "https://acme.site.test:8443/argotunnel?aud=&callback="
                + Form.encoded("https://login.cloudflareaccess.org/\(key)")
            let answer = try await Self.whilePolling(Browser(team), "\(Self.store)/\(key)") {
                let (url, question) = try await browser.open(page)
                #expect(url == page)
                #expect(question.body.contains("site.test"))
                let form = try #require(Self.token(of: question.body))
                let done = try await browser.send("POST", url, form: "csrf=\(form)&decision=allow")
                #expect(done.status == 200)
            }
            #expect(answer.body.hasPrefix("-----BEGIN ARGO TUNNEL TOKEN-----"))
            #expect(answer.headers.first(name: "service-public-key") == nil)
            provider.set { state in
                state.person["sub"] = .string("bob")
                state.person["email"] = .string("bob@site.test")
            }
            let (_, refused) = try await Browser(team, provider: provider).open(page)
            #expect(refused.status == 403)
        }
    }

    @Test func `a transferred token opens no account page`() async throws {
        try await withTeam { team, _, browser in
            _ = try await browser.open(LoginTests.app)
            let session = try #require(team.policies.snapshot.sessions.values.first)
            let org = try await team.server.teamToken(for: session, isTransferred: true).text
            let program = Browser(team)
            program.set(Cookies.authorization, org, at: "acme.site.test")
            let identity = try await program.send("GET", "https://acme.site.test:8443/cdn-cgi/access/get-identity")
            #expect(identity.status == 401)
        }
    }
}

/// The store by itself.
struct TransferStoreTests {
    private let time = Date(timeIntervalSince1970: 1_800_000_000)

    @Test func `a flood of polls is turned away, by key and by address`() async throws {
        let team = try await TeamFixture(providers: [])
        let store = team.server.transfers
        func key() throws -> TransferStore.Key {
            .init(.tokens, try #require(SealedBox.KeyPair.generate()).publicKey)
        }
        let one = try key()
        try await withThrowingTaskGroup(of: TransferStore.Outcome.self) { group in
            for _ in 0..<4 { group.addTask { await store.poll(one, from: "192.0.2.1") } }
            while store.waiting < 4 { await Task.yield() }
            #expect(await store.poll(one, from: "192.0.2.2") == .tooMany)
            for _ in 4..<64 {
                let other = try key()
                group.addTask { await store.poll(other, from: "192.0.2.1") }
            }
            while store.waiting < 64 { await Task.yield() }
            #expect(await store.poll(try key(), from: "192.0.2.1") == .tooMany)
            group.cancelAll()
            for try await outcome in group { #expect(outcome == .nothing) }
        }
        #expect(store.waiting == 0)
    }

    @Test func `what nobody has asked for is not kept, and what is kept does not stay`() async throws {
        let team = try await TeamFixture(providers: [])
        let store = team.server.transfers
        let key = TransferStore.Key(.tokens, try #require(SealedBox.KeyPair.generate()).publicKey)
        let delivery = TransferStore.Delivery(body: "sealed")
        #expect(!store.deposit(delivery, for: key, at: "192.0.2.1"))
        func poll() async {
            await withTaskGroup(of: TransferStore.Outcome.self) { group in
                group.addTask { await store.poll(key, from: "192.0.2.1") }
                while store.waiting < 1 { await Task.yield() }
                group.cancelAll()
            }
        }
        await poll()
        #expect(store.poller(of: key) == "192.0.2.1")
        #expect(!store.deposit(.init(body: String(repeating: "a", count: 20_000)), for: key, at: "192.0.2.1"))
        #expect(store.deposit(delivery, for: key, at: "192.0.2.1"))
        #expect(!store.deposit(delivery, for: key, at: "192.0.2.1"))
        team.pass(301)
        #expect(store.poller(of: key) == nil)
        await poll()
        #expect(store.deposit(delivery, for: key, at: "192.0.2.1"))
        // What one was agreed to is nobody else's, who knows the key by its address.
        #expect(await store.poll(key, from: "198.51.100.9") == .tooMany)
        #expect(await store.poll(key, from: "192.0.2.1") == .delivery(delivery))
        #expect(store.poller(of: key) == nil)
    }

    @Test func `a delivery goes to whom the person has agreed to, of all who wait`() async throws {
        let team = try await TeamFixture(providers: [])
        let store = team.server.transfers
        let key = TransferStore.Key(.tokens, try #require(SealedBox.KeyPair.generate()).publicKey)
        await withTaskGroup(of: (String, TransferStore.Outcome).self) { group in
            for address in ["198.51.100.9", "192.0.2.1"] {
                let before = store.waiting
                group.addTask { (address, await store.poll(key, from: address)) }
                while store.waiting == before { await Task.yield() }
            }
            // The other one asked last when this was agreed to.
            #expect(!store.deposit(.init(body: "sealed"), for: key, at: "198.51.100.9"))
            #expect(store.deposit(.init(body: "sealed"), for: key, at: "192.0.2.1"))
            let first = await group.next()
            #expect(first?.0 == "192.0.2.1" && first?.1 == .delivery(.init(body: "sealed")))
            group.cancelAll()
            #expect(await group.next()?.1 == .nothing)
        }
    }

    @Test func `whoever has left does not take a delivery along`() async throws {
        let team = try await TeamFixture(providers: [])
        let store = team.server.transfers
        let key = TransferStore.Key(.tokens, try #require(SealedBox.KeyPair.generate()).publicKey)
        func leavingPoll() async -> TransferStore.Outcome? {
            await withTaskGroup(of: TransferStore.Outcome.self) { group in
                group.cancelAll()
                group.addTask { await store.poll(key, from: "192.0.2.1") }
                return await group.next()
            }
        }
        await withTaskGroup(of: TransferStore.Outcome.self) { group in
            group.addTask { await store.poll(key, from: "192.0.2.1") }
            while store.waiting < 1 { await Task.yield() }
            group.cancelAll()
        }
        #expect(store.deposit(.init(body: "sealed"), for: key, at: "192.0.2.1"))
        #expect(await leavingPoll() == .nothing)
        #expect(await store.poll(key, from: "192.0.2.1") == .delivery(.init(body: "sealed")))
    }
}
