import Testing
import TunnelConfig

@testable import AccessPolicy

struct SelectorTests {
    func ip(_ text: String) throws -> Selector { .ip(try #require(IPPrefix(text))) }

    /// What an allow policy of this selector alone says to `identity`.
    func admits(
        _ selector: Selector, _ identity: Identity?, _ facts: RequestFacts, _ token: PresentedServiceToken? = nil
    ) throws -> Bool {
        let prefix = try #require(IPPrefix("198.51.100.0/24"))
        let configuration = try guarding(
            [policy("p", .allow, Criteria(include: [selector]))],
            groups: [RuleGroup(id: "g", criteria: Criteria(include: [.email("ann@example.com")]))],
            lists: [IPList(id: "office", prefixes: [prefix])], tokens: [record("t.access", recordID: "r-1")])
        return configuration.brief(facts, identity, token) == "user p"
    }

    @Test(arguments: [
        ("ann@example.com", "ann@example.com", true), ("ANN@Example.COM", "ann@example.com", true),
        ("ann@example.com", "Ann@EXAMPLE.com", true), ("ann@example.com", "bob@example.com", false),
        ("ann@example.com", "xann@example.com", false), ("ann@example.com", "", false),
        ("mark@example.com", "mar\u{212A}@example.com", false), ("caf\u{e9}@x.test", "cafe\u{301}@x.test", false),
    ])
    func `an e-mail address is compared by its bytes, but for the case of ASCII`(
        rule: String, email: String, isAdmitted: Bool
    ) throws {
        #expect(try admits(.email(rule), person(email), facts()) == isAdmitted)
    }

    @Test(arguments: [
        ("example.com", "a@example.com", true), ("Example.com", "a@EXAMPLE.com", true),
        ("example.com", "a@sub.example.com", false), ("example.com", "a@notexample.com", false),
        ("example.com", "a@example.com.evil.test", false), ("example.com", "a@evil.test@example.com", true),
        ("example.com", "a@example.com@evil.test", false), ("example.com", "example.com", false),
        ("example.com", "", false),
    ])
    func `a domain is what follows the last at sign, exactly`(rule: String, email: String, isAdmitted: Bool) throws {
        #expect(try admits(.emailDomain(rule), person(email), facts()) == isAdmitted)
    }

    @Test(arguments: [
        ("192.0.2.0/24", "192.0.2.7", true), ("192.0.2.0/24", "192.0.3.7", false),
        ("192.0.2.0/24", "::ffff:192.0.2.7", true), ("2001:db8::/32", "2001:db8::1", true),
        ("2001:db8::/32", "192.0.2.7", false), ("::ffff:192.0.2.0/120", "192.0.2.7", true),
        ("0.0.0.0/0", "2001:db8::1", false), ("::/0", "192.0.2.7", false),
    ])
    func `an address is in its block`(rule: String, address: String, isAdmitted: Bool) throws {
        #expect(try admits(ip(rule), person(), facts(address: address)) == isAdmitted)
    }

    @Test func `an address is in a list`() throws {
        #expect(try admits(.ipList("office"), person(), facts(address: "198.51.100.1")))
        #expect(try !admits(.ipList("office"), person(), facts(address: "198.51.101.1")))
    }

    @Test func `a country is where the visitor is, when that is known`() throws {
        #expect(try admits(.country("PT"), person(), facts(country: "PT")))
        #expect(try !admits(.country("PT"), person(), facts(country: "ES")))
        #expect(try !admits(.country("PT"), person(), facts(country: nil)))
    }

    @Test(arguments: [
        ("corp", "groups", "rdp", true), ("other", "groups", "rdp", false), ("corp", "Groups", "rdp", false),
        ("corp", "groups", "RDP", false), ("corp", "groups", "rd", false), ("corp", "groups", "cafe\u{301}", false),
        ("corp", "groups", "caf\u{e9}", true), ("corp", "roles", "rdp", false),
    ])
    func `a claim is compared exactly, at its own provider`(
        provider: String, claim: String, value: String, isAdmitted: Bool
    ) throws {
        let selector = Selector.oidc(provider: ExactText(provider), claim: claim, value: ExactText(value))
        #expect(try admits(selector, person(), facts()) == isAdmitted)
    }

    @Test func `provider and method of the login`() throws {
        #expect(try admits(.loginMethod(ExactText("corp")), person(), facts()))
        #expect(try !admits(.loginMethod(ExactText("other")), person(), facts()))
        #expect(try admits(.authMethod(ExactText("mfa")), person(), facts()))
        #expect(try !admits(.authMethod(ExactText("hwk")), person(), facts()))
    }

    @Test func `certificates and their names`() throws {
        let named = ClientCertificate(commonName: "robot")
        #expect(try admits(.certificate, person(), facts(certificate: named)))
        #expect(try admits(.certificate, person(), facts(certificate: ClientCertificate(commonName: nil))))
        #expect(try !admits(.certificate, person(), facts()))
        #expect(try admits(.commonName(ExactText("robot")), person(), facts(certificate: named)))
        #expect(try !admits(.commonName(ExactText("Robot")), person(), facts(certificate: named)))
        #expect(
            try !admits(
                .commonName(ExactText("robot")), person(), facts(certificate: ClientCertificate(commonName: nil))))
    }

    @Test func `service tokens go by the id of their record`() throws {
        #expect(try admits(.anyValidServiceToken, person(), facts(), presented("t.access")))
        #expect(try !admits(.anyValidServiceToken, person(), facts(), nil))
        #expect(
            try !admits(.anyValidServiceToken, person(), facts(), presented("t.access", ServiceTokenSecret("wrong"))))
        #expect(try admits(.serviceToken(ExactText("r-1")), person(), facts(), presented("t.access")))
        #expect(try !admits(.serviceToken(ExactText("t.access")), person(), facts(), presented("t.access")))
    }

    @Test func `everyone is whoever has logged in, and a group is its members`() throws {
        #expect(try admits(.everyone, person(nil), facts()))
        #expect(try !admits(.everyone, nil, facts()))
        #expect(try admits(.group("g"), person(), facts()))
        #expect(try !admits(.group("g"), person("bob@example.com"), facts()))
    }

    @Test func `what nobody knows counts against the visitor, also behind groups`() throws {
        let notRussia = RuleGroup(id: "not", criteria: Criteria(include: [.everyone], exclude: [.country("RU")]))
        let russia = RuleGroup(id: "in", criteria: Criteria(include: [.country("RU")]))
        let strangers = RuleGroup(
            id: "strangers", criteria: Criteria(include: [.everyone], exclude: [.emailDomain("example.com")]))
        let rows: [([Policy], String)] = [
            ([policy("p", .allow, Criteria(include: [.everyone], exclude: [.country("RU")]))], "denied"),
            ([policy("p", .allow, Criteria(include: [.everyone], exclude: [.group("in")]))], "denied"),
            ([policy("p", .allow, Criteria(include: [.group("not")]))], "denied"),
            ([policy("p", .allow, Criteria(include: [.everyone], exclude: [.group("not")]))], "denied"),
            ([policy("d", .deny, Criteria(include: [.country("RU")])), policy("p", .allow)], "denied d"),
            ([policy("d", .deny, Criteria(include: [.group("in")])), policy("p", .allow)], "denied d"),
            ([policy("d", .deny, Criteria(include: [.group("strangers")])), policy("p", .allow)], "denied d"),
            ([policy("p", .bypass, Criteria(include: [.everyone], exclude: [.country("RU")]))], "denied"),
        ]
        for (policies, expected) in rows {
            let configuration = try guarding(policies, groups: [notRussia, russia, strangers])
            #expect(configuration.brief(try facts(country: nil), person(nil)) == expected)
        }
    }

    @Test(arguments: [Selector.certificate, .commonName(ExactText("robot"))])
    func `a certificate that nobody was asked for keeps out wherever it would`(_ selector: Selector) throws {
        let rows: [([Policy], String)] = [
            ([policy("p", .allow, Criteria(include: [.everyone], exclude: [selector]))], "denied"),
            ([policy("d", .deny, Criteria(include: [selector])), policy("p", .allow)], "denied d"),
            ([policy("p", .bypass, Criteria(include: [.everyone], exclude: [selector]))], "denied"),
            ([policy("p", .allow, Criteria(include: [.everyone], require: [selector]))], "denied"),
        ]
        for (policies, expected) in rows {
            #expect(try guarding(policies).brief(try facts(), person()) == expected)
        }
    }
}
