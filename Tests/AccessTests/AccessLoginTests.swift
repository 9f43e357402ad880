import Foundation
import Glibc
import Logging
import NIOHTTP1
import Synchronization
import TestKit
import Testing

@testable import Access

/// A login against a team in memory, with files in a directory of its own.
struct LoginBench {
    let team: TeamDouble
    let presenter: PresenterDouble
    let store: TokenStore
    let login: AccessLogin
    let url: WebURL

    init(
        team: TeamDouble? = nil, store: TokenStore? = nil, domains: [String]? = nil, presenter: PresenterDouble? = nil,
        transport: (any LoginTransport)? = nil, clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Date = { Date() }
    ) throws {
        self.team = try team ?? TeamDouble()
        self.presenter = presenter ?? PresenterDouble()
        self.store =
            store
            ?? TokenStore(
                directory: FileManager.default.temporaryDirectory.path + "/login-\(UUID().uuidString.prefix(8))")
        url = try #require(self.team.url())
        login = AccessLogin(
            AccessLogin.Configuration(
                domains: try AuthDomains(domains ?? [self.team.team]),
                storeURL: try #require(WebURL("https://\(self.team.store)/")), userAgent: "cloudflared/test"),
            store: self.store, transport: transport ?? self.team, presenter: self.presenter,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: clock, now: now)
    }

    func token() async throws -> AccessToken { try await login.token(for: try await login.application(at: url)) }

    /// A token that was good becomes one that is not.
    func endOfLife(_ token: AccessToken) async throws {
        let application = try await login.application(at: url)
        login.confirm(token, of: application)
        #expect(!login.discard(token, of: application))
    }

    var files: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: store.directory)) ?? []).sorted()
    }

    func mode(_ name: String) -> Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: store.path(name))
        return (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? -1
    }
}

@Suite(.timeLimit(.minutes(1))) struct AccessLoginTests {
    @Test func `a person's login leaves the official client's files, and nothing else`() async throws {
        let bench = try LoginBench()
        let token = try await bench.token()
        #expect(bench.team.state.withLock { $0.tokens.contains(token.text) })
        let name = "rdp.localhost-\(bench.team.audience)-token"
        #expect(bench.files == ["acme.localhost:8443-jwks", "acme.localhost:8443-org-token", name])
        #expect(bench.files.map(bench.mode) == [0o600, 0o600, 0o600])
        #expect(try bench.store.read(name) == token.text)
        #expect(
            (try FileManager.default.attributesOfItem(atPath: bench.store.directory))[.posixPermissions] as? Int
                == 0o700)
        #expect("\(token)" == "(redacted)" && String(reflecting: token) == "(redacted)")
    }

    @Test func `the page a person opens names the application and keeps the query of the address`() async throws {
        let bench = try LoginBench()
        let url = try #require(bench.team.url("/a%20b?x=1&y=%C3%BC"))
        _ = try await bench.login.token(for: try await bench.login.application(at: url))
        let page = try #require(bench.presenter.pages.withLock { $0.first })
        let shown = try #require(WebURL(page.url))
        #expect(shown.place == "https://rdp.localhost:8443/cdn-cgi/access/cli")
        #expect(
            shown.items.map(\.name) == [
                "aud", "edge_token_transfer", "redirect_url", "send_org_token", "token", "x", "y",
            ])
        let values = Dictionary(shown.items.map { ($0.name, $0.value) }) { $1 }
        let key = try #require(values["token"])
        #expect(SealedBox.PublicKey(text: key) != nil && key.count == 44 && key.hasSuffix("="))
        #expect(page.url.contains("token=\(key.dropLast())%3D"))
        #expect(values["aud"] == bench.team.audience && values["send_org_token"] == "true" && values["y"] == "ü")
        let target = try #require(values["redirect_url"].flatMap { WebURL($0) })
        #expect(target.place == "https://rdp.localhost:8443/a%20b")
        #expect(target.items.map(\.name) == ["aud", "token", "x", "y"])
    }

    @Test func `the team's token opens the next application without a browser, and goes nowhere else`() async throws {
        let bench = try LoginBench()
        let first = try await bench.token()
        try await bench.endOfLife(first)
        let second = try await bench.token()
        #expect(second != first && bench.presenter.count == 1)
        let teamToken = try #require(try bench.store.read("acme.localhost:8443-org-token"))
        let carriers = bench.team.state.withLock { $0.asked.filter { "\($0.headers)".contains(teamToken) } }
        #expect(carriers.map(\.url.host) == ["acme.localhost"])
        #expect(carriers.first?.headers["cookie"] == ["CF_Authorization=\(teamToken)"])
    }

    @Test(arguments: [
        "https://evil.test/x/cdn-cgi/access/login/y", "http://acme.localhost:8443/cdn-cgi/access/login/y",
        "https://acme.localhost/cdn-cgi/access/login", "https://acme.localhost:8443.evil.test/cdn-cgi/access/login",
        "https://acme.localhost:8443@evil.test/cdn-cgi/access/login", "/cdn-cgi/access/login",
    ])
    func `an application that leads elsewhere does not get the team's token there`(place: String) async throws {
        let bench = try LoginBench()
        let first = try await bench.token()
        try await bench.endOfLife(first)
        let teamToken = try #require(try bench.store.read("acme.localhost:8443-org-token"))
        bench.team.state.withLock {
            $0.loginPlace = place
            $0.asked = []
        }
        _ = try await bench.token()
        // The person was asked instead.
        #expect(bench.presenter.count == 2)
        let asked = bench.team.state.withLock { $0.asked }
        #expect(!asked.contains { "\($0.headers)".contains(teamToken) })
        #expect(asked.count < 20)
    }

    @Test func `many who wait share one login`() async throws {
        let team = try TeamDouble()
        team.state.withLock { $0.isApprovedAtOnce = false }
        let clock = ManualClock()
        let bench = try LoginBench(team: team, clock: clock)
        let application = try await bench.login.application(at: bench.url)
        let tokens = try await withThrowingTaskGroup(of: AccessToken.self) { group in
            for _ in 0..<20 { group.addTask { try await bench.login.token(for: application) } }
            // The one who leads has asked the store and waits to ask again; the others wait for it.
            await clock.waitForSleepers(1)
            while bench.login.gate.waiting(for: application.tokenFile) < 19 { await Task.yield() }
            team.state.withLock { $0.isApprovedAtOnce = true }
            clock.advance(by: .seconds(2))
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(tokens.count == 20 && Set(tokens).count == 1)
        #expect(bench.presenter.count == 1)
        #expect(team.asked("/transfer/").count == 2)
    }

    @Test func `one of them giving up does not end it for the others, and the last frees the locks`() async throws {
        let team = try TeamDouble()
        team.state.withLock { $0.isApprovedAtOnce = false }
        let clock = ManualClock()
        let bench = try LoginBench(team: team, clock: clock)
        let application = try await bench.login.application(at: bench.url)
        let first = Task { try await bench.login.token(for: application) }
        await clock.waitForSleepers(1)
        let other = Task { try await bench.login.token(for: application) }
        while bench.login.gate.waiting(for: application.tokenFile) < 1 { await Task.yield() }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        await clock.waitForSleepers(1)
        team.state.withLock { $0.isApprovedAtOnce = true }
        clock.advance(by: .seconds(2))
        #expect(try await other.value.audience == [team.audience])
        #expect(bench.presenter.count == 2)
        #expect(!bench.files.contains { $0.hasSuffix(".lock") || $0.hasSuffix(".url") })
    }

    @Test func `two processes share one login by the lock file`() async throws {
        let team = try TeamDouble()
        team.state.withLock { $0.isApprovedAtOnce = false }
        let clock = ManualClock()
        let one = try LoginBench(team: team, clock: clock)
        let two = try LoginBench(team: team, store: one.store, clock: clock)
        let application = try await one.login.application(at: one.url)
        let first = Task { try await one.login.token(for: application) }
        await clock.waitForSleepers(1)
        let second = Task { try await two.login.token(for: application) }
        await clock.waitForSleepers(2)
        #expect(two.presenter.waits.withLock { $0 } == [getpid()])
        team.state.withLock { $0.isApprovedAtOnce = true }
        clock.advance(by: .seconds(2))
        let token = try await first.value
        // The other one looks again when its pause is over, which may have begun before the token was there.
        while true {
            if clock.sleepers > 0 { clock.advance(by: .seconds(2)) }
            if two.login.gate.waiting(for: application.tokenFile) == 0, clock.sleepers == 0 { break }
            await Task.yield()
        }
        #expect(try await second.value == token)
        #expect(two.presenter.count == 0)
        #expect(!one.files.contains { $0.hasSuffix(".lock") })
    }

    @Test func `a lock of a process that is gone, or of nobody, does not hold anyone up`() async throws {
        for content in ["", "not JSON", #"{"pid":1,"start_time":12345}"#, #"{"pid":999999999,"start_time":1}"#] {
            let bench = try LoginBench(now: { Date(timeIntervalSinceNow: 5) })
            let application = try await bench.login.application(at: bench.url)
            try bench.store.write(content, to: application.tokenFile + ".lock")
            _ = try await bench.login.token(for: application)
            #expect(!bench.files.contains { $0.hasSuffix(".lock") })
        }
    }

    @Test func `a token that the edge refuses is replaced once, then it is an error and no lock stays`() async throws {
        let bench = try LoginBench()
        let application = try await bench.login.application(at: bench.url)
        let first = try await bench.login.acceptedToken(for: application)
        #expect(bench.team.asked("/").contains { $0.url.query == "cloudflared_token_check=true" })
        bench.team.state.withLock { $0.tokens = [] }
        #expect(try await bench.login.acceptedToken(for: application) != first)
        bench.team.state.withLock {
            $0.tokens = []
            $0.makesGoodTokens = false
        }
        let error = await #expect(throws: LoginError.self) {
            try await bench.login.acceptedToken(for: application)
        }
        #expect(error?.code == .refused)
        #expect(!bench.files.contains { $0.hasSuffix(".lock") })
    }

    @Test func `an expired token is not used, for another application neither`() async throws {
        let bench = try LoginBench()
        let application = try await bench.login.application(at: bench.url)
        bench.team.state.withLock { $0.life = -1 }
        try bench.store.write(try await bench.team.token(), to: application.tokenFile)
        #expect(try bench.login.storedToken(of: application) == nil)
        #expect(!bench.files.contains(application.tokenFile))
        bench.team.state.withLock { $0.life = 60 }
        try bench.store.write(try await bench.team.token("org"), to: application.tokenFile)
        #expect(try bench.login.storedToken(of: application) == nil)
        #expect(!bench.files.contains(application.tokenFile))
    }

    @Test func `a login without a team token works, and one for another application does not`() async throws {
        let bench = try LoginBench()
        bench.team.state.withLock { $0.handsOutSessions = false }
        _ = try await bench.token()
        #expect(!bench.files.contains("acme.localhost:8443-org-token"))
        let application = try await bench.login.application(at: bench.url)
        bench.store.remove(application.tokenFile)
        bench.team.state.withLock { $0.life = -10 }
        let error = await #expect(throws: LoginError.self) { try await bench.token() }
        #expect(error?.code == .transfer)
    }

    @Test func `a directory that others can write is not used`() async throws {
        let bench = try LoginBench()
        try bench.store.prepare()
        #expect(chmod(bench.store.directory, 0o777) == 0)
        let error = await #expect(throws: LoginError.self) { try await bench.token() }
        #expect(error?.code == .storage)
        #expect(bench.presenter.count == 0)
    }

    @Test func `a link in the place of a token is not followed`() async throws {
        let bench = try LoginBench()
        let application = try await bench.login.application(at: bench.url)
        let planted = bench.store.path("planted")
        try (try await bench.team.token()).write(toFile: planted, atomically: true, encoding: .utf8)
        try FileManager.default.createSymbolicLink(
            atPath: bench.store.path(application.tokenFile), withDestinationPath: planted)
        #expect(try bench.login.storedToken(of: application) == nil)
        let token = try await bench.login.token(for: application)
        #expect(try String(contentsOfFile: planted, encoding: .utf8) != token.text)
    }

    @Test(arguments: [(0o640, "read"), (0o622, "change")])
    func `a token that others can read or change is not used, and the error says what to do`(mode: Int, what: String)
        async throws
    {
        let bench = try LoginBench()
        let application = try await bench.login.application(at: bench.url)
        _ = try await bench.login.token(for: application)
        #expect(chmod(bench.store.path(application.tokenFile), mode_t(mode)) == 0)
        let error = #expect(throws: LoginError.self) { try bench.login.storedToken(of: application) }
        #expect(error?.code == .storage && error?.message.contains("other users can \(what)") == true)
        #expect(error?.message.contains("chmod 600 ") == true)
        await #expect(throws: LoginError.self) { try await bench.login.token(for: application) }
        #expect(bench.presenter.count == 1)
    }

    @Test func `an edge that refuses fresh tokens does not get a login for every connection`() async throws {
        let time = Mutex(Date())
        let bench = try LoginBench(now: { time.withLock { $0 } })
        bench.team.state.withLock {
            $0.makesGoodTokens = false
            $0.handsOutSessions = false
        }
        let application = try await bench.login.application(at: bench.url)
        for _ in 0..<5 {
            let error = await #expect(throws: LoginError.self) {
                try await bench.login.acceptedToken(for: application)
            }
            #expect(error?.code == .refused && error?.message.contains("the edge's log") == true)
        }
        #expect(bench.presenter.count == 1)
        // A new attempt of a person is a new process; and a running one tries again after the pause.
        let other = try LoginBench(team: bench.team, store: bench.store, now: { time.withLock { $0 } })
        await #expect(throws: LoginError.self) { try await other.login.acceptedToken(for: application) }
        #expect(other.presenter.count == 1)
        time.withLock { $0 += 61 }
        bench.team.state.withLock { $0.makesGoodTokens = true }
        _ = try await bench.login.acceptedToken(for: application)
        #expect(bench.presenter.count == 2)
    }
}
