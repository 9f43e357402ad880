import Testing
import TunnelConfig

@testable import AccessPolicy

struct ConfigurationTests {
    func group(_ id: String, _ references: String...) -> RuleGroup {
        RuleGroup(id: id, criteria: Criteria(include: [.everyone] + references.map { .group($0) }))
    }

    func made(_ groups: [RuleGroup], _ policies: [Policy] = []) -> String {
        problem { try guarding(policies, groups: groups).applications.count }
    }

    @Test func `groups may share others`() {
        #expect(made([group("a", "b", "c"), group("b", "d"), group("c", "d"), group("d")]) == "made 1")
    }

    @Test(arguments: [
        (["a": ["a"]], "a → a"), (["a": ["b"], "b": ["a"]], "a → b → a"),
        (["a": ["b"], "b": ["c", "d"], "c": [], "d": ["b"]], "b → d → b"),
    ])
    func `a group that reaches itself is refused, with the way`(references: [String: [String]], way: String) {
        let groups = references.map { id, others in
            RuleGroup(id: id, criteria: Criteria(include: [.everyone], exclude: others.map { .group($0) }))
        }
        #expect(made(groups).contains("the group refers to itself: \(way);"), "\(made(groups))")
    }

    @Test func `an unknown group is refused, with the nearest known one`() {
        #expect(made([group("rdp-users", "rdp-admin"), group("rdp-admins")]).contains("did you mean rdp-admins?"))
        let unknown = policy("p", .allow, Criteria(include: [.group("rdp-user")]))
        #expect(made([group("rdp-users")], [unknown]).contains("did you mean rdp-users?"))
        #expect(made([], [policy("p", .allow, Criteria(include: [.ipList("x")]))]).contains("no ip list \"x\""))
    }

    @Test func `groups nest to a depth, and a long chain does not end the process`() {
        func chain(_ length: Int) -> [RuleGroup] {
            (0..<length).map { number in
                let next: [Selector] = number + 1 < length ? [.group("g\(number + 1)")] : [.everyone]
                return RuleGroup(id: "g\(number)", criteria: Criteria(include: next))
            }
        }
        #expect(made(chain(GroupCheck.deepest)) == "made 1")
        #expect(made(chain(GroupCheck.deepest + 1)).contains("more than 16 levels"))
        #expect(made(chain(AccessConfiguration.Limits.groups)).contains("more than 16 levels"))
    }

    @Test func `a lattice of groups costs what its selectors cost`() throws {
        // Fifteen levels of ten groups that each refer to all ten below: 10^15 ways from top to bottom.
        let groups = (0..<15).flatMap { level in
            (0..<10).map { number in
                let below: [Selector] =
                    level == 14 ? [.email("nobody@example.com")] : (0..<10).map { .group("\(level + 1)-\($0)") }
                return RuleGroup(id: "\(level)-\(number)", criteria: Criteria(include: below, exclude: below))
            }
        }
        let configuration = try guarding(
            [policy("p", .allow, Criteria(include: [.group("0-0")]))], groups: groups)
        #expect(configuration.brief(try facts(), person()) == "denied")
        #expect(configuration.brief(try facts()) == "login missing")
    }

    @Test(arguments: [
        Selector.email("a@b.test"), .emailDomain("b.test"), .loginMethod(ExactText("x")), .authMethod(ExactText("x")),
        .oidc(provider: ExactText("x"), claim: "c", value: ExactText("v")), .serviceToken(ExactText("x")),
        .anyValidServiceToken,
    ])
    func `a bypass cannot ask who somebody is, nor by way of a group`(selector: Selector) {
        let direct = Criteria(include: [.everyone], exclude: [selector])
        let inner = RuleGroup(id: "inner", criteria: Criteria(include: [selector]))
        let outer = RuleGroup(id: "outer", criteria: Criteria(include: [.everyone], require: [.group("inner")]))
        let nested = Criteria(include: [.group("outer")])
        for criteria in [direct, nested] {
            #expect(made([inner, outer], [policy("p", .bypass, criteria)]).contains("a bypass policy cannot ask"))
            #expect(made([inner, outer], [policy("p", .allow, criteria)]) == "made 1")
        }
    }

    @Test func `what means nothing is refused`() throws {
        let empty = Criteria(include: [], require: [.everyone])
        #expect(made([], [policy("p", .allow, empty)]).contains("include is empty"))
        #expect(made([RuleGroup(id: "g", criteria: empty)]).contains("groups[g].include: include is empty"))
        #expect(made([group("g"), group("g")]).contains("given twice"))
        #expect(made([group("")]).contains("groups: a value is empty"))
        #expect(made([], [policy("p", .allow), policy("p", .deny)]).contains("given twice"))
        let nowhere = AccessApplication(id: "a", audience: "x", domains: [], policies: [])
        #expect(problem { try AccessConfiguration(applications: [nowhere]) }.contains("guards nothing"))
        var twins = try [application("a", ["a.test"], []), application("b", ["b.test"], [])]
        twins[1].audience = twins[0].audience
        #expect(problem { try AccessConfiguration(applications: twins) }.contains("aud: \"aud-a\" is given twice"))
        var web = try application("a", ["app.test"], [])
        web.destinations = [DestinationGrant(destinations: try DestinationAllowList(["rdp:3389"]))]
        #expect(problem { try AccessConfiguration(applications: [web]) }.contains("write type: bastion"))
    }

    @Test func `a configuration has bounds`() throws {
        let limit = AccessConfiguration.Limits.policiesPerApplication
        let policies = (0...limit).map { policy("p\($0)", .deny, Criteria(include: [.country("XX")])) }
        #expect(made([], policies).contains("too many policies"))
        #expect(made([], Array(policies.dropLast())) == "made 1")
        #expect(made((0...AccessConfiguration.Limits.groups).map { group("g\($0)") }).contains("more than 2000"))
        let many = Criteria(include: Array(repeating: .everyone, count: AccessConfiguration.Limits.selectors + 1))
        #expect(made([], [policy("p", .allow, many)]).contains("more than 200000 selectors"))
    }

    @Test func `an explanation names the rule that decided, and why the others did not`() throws {
        let staff = RuleGroup(id: "staff", criteria: Criteria(include: [.emailDomain("example.com")]))
        let configuration = try guarding(
            [
                policy("robots", .nonIdentity, Criteria(include: [.anyValidServiceToken])),
                policy("office", .bypass, Criteria(include: [.ip(try #require(IPPrefix("10.0.0.0/8")))])),
                policy("guests", .deny, Criteria(include: [.email("guest@example.com")])),
                policy("abroad", .deny, Criteria(include: [.everyone], exclude: [.country("PT")])),
                policy(
                    "hardware", .allow, Criteria(include: [.group("staff")], require: [.authMethod(ExactText("hwk"))])),
                policy("staff", .allow, Criteria(include: [.group("staff")])), policy("last", .deny),
            ], groups: [staff])
        let explained = configuration.explain(try facts(), identity: person(), serviceToken: nil, now: now)
        #expect(brief(explained.decision) == "user staff")
        #expect(explained.domain?.description == "app.test")
        #expect(
            explained.steps.map(\.description) == [
                "non_identity \"robots\": does not match: nothing under include holds",
                "bypass \"office\": does not match: nothing under include holds",
                "deny \"guests\": does not match: nothing under include holds",
                "deny \"abroad\": does not match: exclude geo PT holds",
                "allow \"hardware\": does not match: require auth_method hwk does not hold",
                "allow \"staff\": decided, by group staff → email_domain example.com",
                "deny \"last\": not asked: a policy before it decided",
            ])
        let stranger = configuration.explain(try facts(), identity: nil, serviceToken: nil, now: now)
        #expect(brief(stranger.decision) == "login missing")
        #expect(
            stranger.steps[4].description
                == "allow \"hardware\": depends on who logs in, by group staff → email_domain example.com")
    }
}
