import FoundationEssentials
import Testing
import TunnelConfig

@testable import AccessPolicy

struct AdmissionTests {
    @Test(arguments: [
        ("24h", 86_400), ("30m", 1_800), ("0s", 0), ("744h", 744 * 3600), ("1h30m", 5_400),
    ])
    func `a session duration is read`(text: String, seconds: Int) throws {
        #expect(try SessionDuration.parse(text).seconds == seconds)
    }

    @Test(arguments: ["", "24", "-1h", "745h", "1.5s", "1d", "300ms", "9999999h"])
    func `what is no session duration is refused`(text: String) {
        #expect(!problem { try SessionDuration.parse(text) }.hasPrefix("made"))
    }

    @Test func `the global session lasts at least a quarter of an hour`() throws {
        #expect(problem { try SessionDuration.parseGlobal("14m") }.contains("between 15m and 744h"))
        #expect(try SessionDuration.parseGlobal("15m").seconds == 900)
    }

    /// Policy, application, end of the session, what remains.
    @Test(arguments: [
        (nil, nil, nil, 86_400), (nil, "2h", nil, 7_200), ("1h", "2h", nil, 3_600), ("12h", "2h", nil, 43_200),
        ("0s", "2h", nil, 0), ("1h", nil, 600, 600), ("1h", nil, 7_200, 3_600), (nil, nil, 1, 1),
    ])
    func `the policy's duration counts before the application's, and the session's end before both`(
        own: String?, application: String?, end: Int?, expected: Int
    ) throws {
        var entry = policy("p", .allow)
        entry.sessionDuration = try own.map { try SessionDuration.parse($0) }
        var app = try AccessPolicyTests.application("app", ["app.test"], [entry])
        app.sessionDuration = try application.map { try SessionDuration.parse($0) }
        let configuration = try AccessConfiguration(applications: [app])
        let identity = person(sessionEnd: now + Double(end ?? 10_000_000))
        guard
            case .forward(_, _, let admission) = configuration.decide(
                try facts(), identity: identity, serviceToken: nil, now: now)
        else {
            Issue.record("not admitted")
            return
        }
        #expect(admission.expires == now + Double(expected))
    }

    @Test func `what a program gets ends with its service token`() throws {
        let configuration = try guarding(
            [policy("p", .nonIdentity)], tokens: [record("t", expires: now + 60), record("u")])
        for (id, seconds) in [("t", 60.0), ("u", 86_400)] {
            guard
                case .forward(_, _, let admission) = configuration.decide(
                    try facts(), identity: nil, serviceToken: presented(id), now: now)
            else {
                Issue.record("not admitted")
                continue
            }
            #expect(admission.expires == now + seconds)
        }
    }

    @Test func `a bastion leads each person where their grants say`() throws {
        var bastion = try application("b", ["b.test"], [policy("p", .allow)])
        bastion.kind = .bastion
        bastion.destinations = [
            DestinationGrant(destinations: try DestinationAllowList(["wiki:443"])),
            DestinationGrant(
                destinations: try DestinationAllowList(["desktop:3389"]),
                criteria: Criteria(include: [.group("rdp")])),
        ]
        let rdp = RuleGroup(id: "rdp", criteria: Criteria(include: [.email("ann@example.com")]))
        let configuration = try AccessConfiguration(applications: [bastion], groups: [rdp])
        func reaches(_ identity: Identity?, _ host: String, _ port: Int) throws -> Bool {
            configuration.destinations(of: bastion, facts: try facts("b.test"), identity: identity, serviceToken: nil)
                .contains { $0.permits(host: host, port: port) }
        }
        #expect(try reaches(person(), "wiki", 443))
        #expect(try reaches(person(), "desktop", 3389))
        #expect(try !reaches(person(), "desktop", 22))
        #expect(try reaches(person("bob@example.com"), "wiki", 443))
        #expect(try !reaches(person("bob@example.com"), "desktop", 3389))
        #expect(try !reaches(nil, "desktop", 3389))
        bastion.kind = .ssh
        #expect(try !reaches(person(), "wiki", 443))
    }

    @Test func `pages open WebSockets at their own host only, and never TCP`() throws {
        var app = try application("a", ["app.test"], [])
        let host = try #require(CanonicalHost(authority: "app.test"))
        let foreign = [
            "null", "", "http://app.test", "https://evil.test", "https://app.test.evil.test", "https://app.test/x",
            "https://a@app.test",
        ]
        #expect(app.admits(origin: nil, at: host))
        #expect(app.admits(origin: "https://APP.test:443", at: host))
        for origin in foreign { #expect(!app.admits(origin: origin, at: host), "\(origin)") }
        app.kind = .rdp
        #expect(app.admits(origin: nil, at: host))
        #expect(!app.admits(origin: "https://app.test", at: host))
        app.allowedOrigins = ["https://console.test"]
        #expect(app.admits(origin: "https://Console.test", at: host))
        #expect(!app.admits(origin: "https://console.test:444", at: host))
    }
}
