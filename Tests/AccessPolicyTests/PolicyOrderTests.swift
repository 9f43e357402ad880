import FoundationEssentials
import Testing

@testable import AccessPolicy

struct PolicyOrderTests {
    let ann = Criteria(include: [.email("ann@example.com")])
    let anyToken = Criteria(include: [.anyValidServiceToken])

    @Test func `service auth and bypass are asked first, then the others, each by precedence`() {
        let listed = [
            policy("A", .allow, precedence: 1), policy("B", .deny, precedence: 2),
            policy("C", .nonIdentity, precedence: 3), policy("D", .bypass, precedence: 4),
            policy("E", .allow, precedence: 5),
        ]
        #expect(listed.inEvaluationOrder.map(\.id) == ["C", "D", "A", "B", "E"])
        #expect(listed.reversed().inEvaluationOrder.map(\.id) == ["C", "D", "A", "B", "E"])
        let equal = ["x", "y", "z"].map { policy($0, .allow) }
        #expect(equal.inEvaluationOrder.map(\.id) == ["x", "y", "z"])
    }

    /// Every ordered pair of actions that both match everyone, for a person, a stranger, and a program.
    @Test(arguments: [
        (Policy.Action.allow, Policy.Action.deny, "user 1", "login missing", "login notAllowed"),
        (.deny, .allow, "denied 1", "denied 1", "denied 1"),
        (.allow, .bypass, "bypass 2", "bypass 2", "bypass 2"), (.bypass, .allow, "bypass 1", "bypass 1", "bypass 1"),
        (.deny, .bypass, "bypass 2", "bypass 2", "bypass 2"), (.bypass, .deny, "bypass 1", "bypass 1", "bypass 1"),
        (.nonIdentity, .bypass, "bypass 2", "bypass 2", "token t 1"),
        (.bypass, .nonIdentity, "bypass 1", "bypass 1", "bypass 1"),
        (.nonIdentity, .allow, "user 2", "login missing", "token t 1"),
        (.allow, .nonIdentity, "user 1", "login missing", "token t 2"),
        (.deny, .nonIdentity, "denied 1", "denied 1", "token t 2"),
        (.nonIdentity, .deny, "denied 2", "denied 2", "token t 1"),
        (.allow, .allow, "user 1", "login missing", "login notAllowed"),
        (.deny, .deny, "denied 1", "denied 1", "denied 1"),
        (.nonIdentity, .nonIdentity, "denied", "service missing", "token t 1"),
    ])
    func `the first that matches decides`(
        first: Policy.Action, second: Policy.Action, person: String, stranger: String, program: String
    ) throws {
        let policies = [policy("2", second, precedence: 2), policy("1", first, precedence: 1)]
        let configuration = try guarding(policies, tokens: [record("t")])
        #expect(configuration.brief(try facts(), AccessPolicyTests.person()) == person)
        #expect(configuration.brief(try facts()) == stranger)
        #expect(configuration.brief(try facts(), nil, presented("t")) == program)
    }

    @Test func `no policy lets nobody in`() throws {
        let configuration = try guarding([])
        #expect(configuration.brief(try facts(), person()) == "denied")
        #expect(configuration.brief(try facts()) == "denied")
        #expect(configuration.brief(try facts("other.test")) == "unguarded")
    }

    /// Conformance test 2: a service token, good, bad, absent, under `allow` and under `non_identity`.
    @Test func `a service token opens what is for programs, never what is for people`() throws {
        let tokens = [record("good"), record("late", expires: now), record("other")]
        let wrong = ServiceTokenSecret("f")
        let forPrograms = try guarding(
            [policy("p", .nonIdentity, Criteria(include: [.serviceToken(ExactText("good"))]))], tokens: tokens)
        let forPeople = try guarding([policy("p", .allow, anyToken)], tokens: tokens)
        let rows: [(PresentedServiceToken?, String, String)] = [
            (presented("good"), "token good p", "login notAllowed"),
            (presented("good", wrong), "service wrong", "denied"), (presented("late"), "service expired", "denied"),
            (presented("none"), "service wrong", "denied"),
            (presented("other"), "service notAllowed", "login notAllowed"),
            (nil, "service missing", "denied"), (presented(""), "service missing", "denied"),
        ]
        for (token, program, people) in rows {
            #expect(forPrograms.brief(try facts(), nil, token) == program)
            #expect(forPeople.brief(try facts(), nil, token) == people)
        }
    }

    @Test(arguments: [
        (#"{"cf-access-client-id":"t","cf-access-client-secret":"s"}"#, true),
        (#"{"cf-access-client-id":"t","cf-access-client-secret":"s","x":1}"#, true),
        (#"{"CF-Access-Client-Id":"t","CF-Access-Client-Secret":"s"}"#, false),
        (#"{"cf-access-client-id":"t"}"#, false),
        (#"{"cf-access-client-id":1,"cf-access-client-secret":"s"}"#, false), ("", false), ("[]", false),
        ("null", false),
        (String(repeating: "[", count: 4_096), false), (String(repeating: " ", count: 5_000), false),
    ])
    func `both halves of a service token may come in one header`(json: String, isToken: Bool) {
        let token = PresentedServiceToken(json: json)
        #expect((token != nil) == isToken)
        if let token { #expect(token == PresentedServiceToken(clientID: "t", clientSecret: ServiceTokenSecret("s"))) }
    }

    @Test func `a program must show a token or a certificate, whatever else a policy asks`() throws {
        let configuration = try guarding([policy("p", .nonIdentity)], tokens: [record("t")])
        #expect(configuration.brief(try facts()) == "service missing")
        #expect(configuration.brief(try facts(), person()) == "denied")
        let certificate = ClientCertificate(commonName: "robot")
        #expect(configuration.brief(try facts(certificate: certificate)) == "certificate robot p")
        #expect(configuration.brief(try facts(certificate: certificate), nil, presented("t")) == "token t p")
    }

    @Test func `people have no part in the policies that come first`() throws {
        let hidden = Criteria(include: [.anyValidServiceToken], exclude: [.email("ann@example.com")])
        for criteria in [ann, hidden] {
            let configuration = try guarding([policy("p", .nonIdentity, criteria)], tokens: [record("t")])
            #expect(!configuration.brief(try facts(), person(), presented("t")).hasPrefix("token"))
        }
    }

    @Test func `a stranger is sent to log in only where that can help`() throws {
        let fromSpain = Criteria(include: [.country("ES")])
        let annFromSpain = Criteria(include: [.email("ann@example.com")], require: [.country("ES")])
        let rows: [([Policy], String)] = [
            ([policy("p", .allow, ann)], "login missing"), ([policy("p", .allow, fromSpain)], "denied"),
            ([policy("p", .allow, annFromSpain)], "denied"), ([policy("d", .deny, ann)], "denied"),
            ([policy("d", .deny, ann), policy("p", .allow)], "login missing"),
            ([policy("d", .deny, Criteria(include: [.country("PT")])), policy("p", .allow)], "denied d"),
            ([policy("p", .allow, ann), policy("d", .deny)], "login missing"),
            ([policy("d", .deny, ann), policy("e", .deny, Criteria(include: [.country("PT")]))], "denied e"),
            ([policy("p", .allow, Criteria(include: [.everyone], exclude: [.email("x@y.test")]))], "login missing"),
        ]
        for (policies, expected) in rows { #expect(try guarding(policies).brief(try facts()) == expected) }
    }

    @Test func `a session that has ended is nobody's`() throws {
        let configuration = try guarding([policy("p", .allow, ann)])
        #expect(configuration.brief(try facts(), person(sessionEnd: now + 1)) == "user p")
        #expect(configuration.brief(try facts(), person(sessionEnd: now)) == "login missing")
    }

    @Test func `a host that is none, and a path that is two, are refused`() throws {
        let configuration = try AccessConfiguration(applications: [
            try application("a", ["app.test"], [policy("p", .allow)]),
            try application("b", ["app.test/b"], [policy("p", .allow)]),
        ])
        #expect(configuration.brief(try facts("a b"), person()) == "refused host")
        #expect(configuration.brief(try facts("app.test", "/x/../b"), person()) == "ambiguous a+b")
        #expect(configuration.brief(try facts("app.test", "/%"), person()) == "undecidable")
    }
}
