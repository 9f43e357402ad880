import FoundationEssentials
import Testing

@testable import AccessPolicy

struct PolicySnapshotTests {
    let now = Date(timeIntervalSince1970: 1_800_000_000)
    let secret = ServiceTokenSecret("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
    let other = ServiceTokenSecret("f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

    func application(_ hostname: String, _ mode: AccessMode = .open) throws -> Application {
        Application(hostname: try #require(ApplicationHostname(hostname)), mode: mode)
    }

    func token(_ id: String, _ secret: ServiceTokenSecret, expires: Date? = nil) -> ServiceTokenRecord {
        ServiceTokenRecord(
            id: ServiceTokenID(rawValue: id), secretHash: secret.hash, name: id, createdAt: now - 60, expiresAt: expires
        )
    }

    func guarded(_ ids: String...) -> AccessMode { .serviceToken(Set(ids.map(ServiceTokenID.init(rawValue:)))) }

    @Test func `a host that nobody opened is closed`() throws {
        let snapshot = PolicySnapshot(applications: [try application("a.site.test")], tokens: [])
        for host in [
            "b.site.test", "site.test", "x.a.site.test", "a.site.test.evil.test", "", ".", ":443", "[::1]",
            "a.site.test@b",
        ] {
            #expect(snapshot.decide(host: host, clientID: nil, clientSecret: nil, now: now) == .closed)
        }
        #expect(PolicySnapshot.empty.decide(host: "a.site.test", clientID: nil, clientSecret: nil, now: now) == .closed)
    }

    @Test func `an open host is open, whatever its case, port and final dot`() throws {
        let open = try application("A.site.test.")
        let snapshot = PolicySnapshot(applications: [open], tokens: [])
        for host in ["a.site.test", "A.SITE.test", "a.site.test:8443", "a.site.test.", "a.site.test.:443"] {
            #expect(snapshot.decide(host: host, clientID: nil, clientSecret: nil, now: now) == .forward(open, nil))
        }
    }

    @Test func `a policy that cannot be read closes everything`() {
        #expect(
            PolicySnapshot.unavailable.decide(host: "a", clientID: nil, clientSecret: nil, now: now)
                == .policyUnavailable)
    }

    @Test(arguments: [
        ("rdp.site.test", "rdp.site.test"), ("x.site.test", "*.site.test"), ("a-dev.site.test", "*-dev.site.test"),
        ("-dev.site.test", "*-dev.site.test"), ("x.deep.site.test", "*.deep.site.test"),
        ("rdp.deep.site.test", "*.deep.site.test"), ("rdp.x.site.test", "rdp.*.site.test"),
        ("x.y.site.test", nil), ("site.test", nil), (".site.test", nil), ("abc.site.test", "a*c.site.test"),
        ("ac.site.test", "a*c.site.test"),
    ])
    func `the most particular pattern guards`(host: String, pattern: String?) throws {
        let patterns = [
            "*.site.test", "rdp.site.test", "*-dev.site.test", "*.deep.site.test", "rdp.*.site.test", "a*c.site.test",
        ]
        for order in [patterns, patterns.reversed()] {
            let snapshot = PolicySnapshot(applications: try order.map { try application($0) }, tokens: [])
            #expect(snapshot.application(forHost: host)?.hostname.text == pattern)
        }
    }

    @Test func `a more particular guarded host is not opened by a wildcard`() throws {
        let snapshot = PolicySnapshot(
            applications: [try application("*.site.test"), try application("rdp.site.test", guarded("t"))], tokens: [])
        guard
            case .serviceTokenMissing = snapshot.decide(
                host: "RDP.site.test:443", clientID: nil, clientSecret: nil, now: now)
        else {
            Issue.record("the wildcard opened the guarded host")
            return
        }
    }

    @Test func `a host named twice keeps the stricter rule`() throws {
        for order in [[AccessMode.open, guarded("t")], [guarded("t"), .open]] {
            let snapshot = PolicySnapshot(applications: try order.map { try application("a.test", $0) }, tokens: [])
            #expect(snapshot.application(forHost: "a.test")?.mode == guarded("t"))
            #expect(snapshot.applications.count == 1)
        }
        let both = PolicySnapshot(
            applications: [try application("a.test", guarded("t", "u")), try application("a.test", guarded("u", "v"))],
            tokens: [])
        #expect(both.application(forHost: "a.test")?.mode == guarded("u"))
    }

    @Test func `a service token opens its host and each flaw has its answer`() throws {
        let rdp = try application("rdp.site.test", guarded("good", "late", "gone"))
        let snapshot = PolicySnapshot(
            applications: [rdp],
            tokens: [
                token("good", secret, expires: now + 1), token("late", secret, expires: now),
                token("elsewhere", secret),
            ])
        func decide(_ id: String?, _ secret: String?) -> PolicyDecision {
            snapshot.decide(host: "rdp.site.test", clientID: id, clientSecret: secret, now: now)
        }
        #expect(decide("good", secret.text) == .forward(rdp, ServiceTokenID(rawValue: "good")))
        #expect(decide(nil, nil) == .serviceTokenMissing(rdp))
        #expect(decide("good", nil) == .serviceTokenMissing(rdp))
        #expect(decide(nil, secret.text) == .serviceTokenMissing(rdp))
        #expect(decide("", "") == .serviceTokenMissing(rdp))
        #expect(decide("good", other.text) == .serviceTokenWrong(rdp))
        #expect(decide("good", secret.text + " ") == .serviceTokenWrong(rdp))
        #expect(decide("GOOD", secret.text) == .serviceTokenWrong(rdp))
        #expect(decide("unknown", secret.text) == .serviceTokenWrong(rdp))
        #expect(decide("gone", secret.text) == .serviceTokenWrong(rdp))
        #expect(decide("late", secret.text) == .serviceTokenExpired(rdp))
        #expect(decide("late", other.text) == .serviceTokenWrong(rdp))
        #expect(decide("elsewhere", secret.text) == .serviceTokenNotAllowed(rdp))
    }

    @Test func `an application that lists no token lets nobody pass`() throws {
        let snapshot = PolicySnapshot(
            applications: [try application("a.test", guarded())], tokens: [token("t", secret)])
        guard
            case .serviceTokenNotAllowed = snapshot.decide(
                host: "a.test", clientID: "t", clientSecret: secret.text, now: now)
        else {
            Issue.record("an empty list opened the host")
            return
        }
    }

    @Test func `a record with a broken hash never matches`() throws {
        for hash in [[], [UInt8](repeating: 0, count: 31), secret.hash + [0], [UInt8](repeating: 0, count: 32)] {
            var record = token("t", secret)
            record.secretHash = hash
            let a = try application("a.test", guarded("t"))
            let snapshot = PolicySnapshot(applications: [a], tokens: [record])
            #expect(
                snapshot.decide(host: "a.test", clientID: "t", clientSecret: secret.text, now: now)
                    == .serviceTokenWrong(a))
        }
    }

    @Test(arguments: [
        "", ".", "*", "a..b", "a:80", "a/b", "a b", "**.a", "a.b*c*d", "bücher.test", String(repeating: "a", count: 64),
        "https://a", "a.b.\u{0}",
    ])
    func `what is no hostname pattern is none`(text: String) {
        #expect(ApplicationHostname(text) == nil)
    }

    @Test func `random hosts are never forwarded by an unrelated application, and never trap`() throws {
        let snapshot = PolicySnapshot(applications: [try application("*.guarded.test", guarded("t"))], tokens: [])
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0...20)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let host = String(decoding: bytes, as: UTF8.self)
            if case .forward = snapshot.decide(host: host, clientID: host, clientSecret: host, now: now) {
                Issue.record("\(bytes) was let through")
            }
        }
    }
}

struct ServiceTokenTests {
    @Test func `identifiers and secrets have their format and differ`() {
        let ids = (0..<100).map { _ in ServiceTokenID.generate() }
        let secrets = (0..<100).map { _ in ServiceTokenSecret.generate() }
        #expect(Set(ids).count == 100)
        #expect(Set(secrets).count == 100)
        for id in ids {
            #expect(id.rawValue.wholeMatch(of: /[0-9a-f]{32}\.access/) != nil)
        }
        for secret in secrets {
            #expect(secret.text.wholeMatch(of: /[0-9a-f]{64}/) != nil)
        }
    }

    @Test func `the hash is SHA-256 of the text`() {
        let hash = ServiceTokenSecret("abc").hash
        #expect(hash.count == 32)
        #expect(hash.prefix(4).elementsEqual([0xBA, 0x78, 0x16, 0xBF]))
    }

    @Test func `a secret is never printed`() {
        let secret = ServiceTokenSecret("hunter2")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), dumped] { #expect(!text.contains("hunter2")) }
    }
}
