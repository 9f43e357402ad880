import Foundation
import Fuzzing
import Testing
import TunnelConfig

@testable import AccessPolicy

struct AccessFileTests {
    let whole = """
        session_duration: 12h
        ip_lists:
          - {id: office, prefixes: [198.51.100.0/24, "2001:db8::1"]}
        groups:
          - name: rdp-users
            include:
              - email: ann@example.com
              - {oidc: {identity_provider_id: corp, claim_name: groups, claim_value: rdp}}
            exclude: [{email: {email: guest@example.com}}]
        applications:
          - name: desktops
            type: bastion
            domains: [rdp.site.test, "*.rdp.site.test/a"]
            session_duration: 1h
            service_auth_401_redirect: true
            destinations:
              - {allow: ["10.0.0.0/8:3389"], include: [{group: rdp-users}]}
              - allow: [wiki:443]
            policies:
              - name: staff
                decision: allow
                precedence: 2
                session_duration: 30m
                include: [{group: {id: rdp-users}}]
                require: [{geo: {country_code: pt}}, {auth_method: mfa}]
              - {name: robots, decision: non_identity, include: [any_valid_service_token, {service_token: {token_id: r-1}}]}
          - {name: blog, domains: [blog.site.test], policies: [{name: all, decision: bypass, include: [{everyone: {}}]}]}
        """

    func file(_ text: String) throws(ConfigError) -> AccessFile { try AccessFile.parse(text, path: "access.yml") }

    @Test func `a whole file is read`() throws {
        let file = try file(whole)
        #expect(try file.configuration().globalSession.seconds == 43_200)
        #expect(file.lists.first?.prefixes.map(\.description) == ["198.51.100.0/24", "2001:db8::1/128"])
        let group = try #require(file.groups.first)
        #expect(group.criteria.include.map(\.description) == ["email ann@example.com", "oidc corp groups=rdp"])
        #expect(group.criteria.exclude == [.email("guest@example.com")])
        let desktops = try #require(file.applications.first)
        #expect(desktops.kind == .bastion)
        #expect(desktops.domains.map(\.description) == ["rdp.site.test", "*.rdp.site.test/a"])
        #expect(desktops.sessionDuration?.seconds == 3_600)
        #expect(desktops.answersServiceAuthWith401)
        #expect(desktops.audience.utf8.count == 64)
        #expect(desktops.destinations.map { $0.criteria?.include } == [[.group("rdp-users")], nil])
        #expect(desktops.policies.map(\.id) == ["staff", "robots"])
        #expect(desktops.policies[0].criteria.require == [.country("PT"), .authMethod(ExactText("mfa"))])
        #expect(desktops.policies[0].sessionDuration?.seconds == 1_800)
        #expect(desktops.policies[1].criteria.include == [.anyValidServiceToken, .serviceToken(ExactText("r-1"))])
        #expect(file.applications[1].isOpen)
        #expect(try file.configuration().brief(try facts("blog.site.test")) == "bypass all")
    }

    @Test func `the official JSON is read as it is`() throws {
        let file = try file(
            """
            {"applications":[{"name":"a","domains":["a.test"],"policies":[
            {"name":"staff","decision":"allow","precedence":1,"session_duration":"12h",
             "include":[{"email_domain":{"domain":"example.com"}}],
             "require":[{"ip":{"ip":"192.0.2.0/24"}}],
             "exclude":[{"email":{"email":"guest@example.com"}}]}]}]}
            """)
        #expect(try file.configuration().brief(try facts("a.test"), person()) == "user staff")
        #expect(try file.configuration().brief(try facts("a.test"), person("guest@example.com")) == "denied")
    }

    @Test func `an empty file guards nothing`() throws {
        #expect(try file("") == AccessFile())
        #expect(try file("applications:\n") == AccessFile())
    }

    /// What is broken, in a policy of an application, and what the error says.
    @Test(arguments: [
        (
            "include", "includes",
            "access.yml:5: applications[0].policies[0].includes: is not a known key; did you mean include?"
        ),
        (
            "decision", "decison",
            "access.yml:4: applications[0].policies[0].decison: is not a known key; did you mean decision?"
        ),
        ("email_domain", "email_domian", "include[0].email_domian: is not a known key; did you mean email_domain?"),
        ("email_domain", "device_posture", "include[0].device_posture: is not a known key; known keys are email"),
        (
            "allow", "alow",
            "access.yml:4: applications[0].policies[0].decision: \"alow\" is not known; did you mean allow?"
        ),
        ("{email_domain: example.com}", "{email: a@b.test, ip: 10.0.0.0/8}", "a selector has one key"),
        ("{email_domain: example.com}", "email_domain", "not a selector that stands alone"),
        ("{email_domain: example.com}", "{everyone: ann}", "takes no value"),
        ("{email_domain: example.com}", "{email: ann}", "is not an address"),
        ("{email_domain: example.com}", "{email: {mail: a@b.test}}", "did you mean email?"),
        ("{email_domain: example.com}", "{email_domain: \"@example.com\"}", "write what follows the @"),
        ("{email_domain: example.com}", "{ip: 10.0.0.0/33}", "is not an address or block"),
        ("{email_domain: example.com}", "{ip: 127.1}", "is not an address or block"),
        ("{email_domain: example.com}", "{geo: Portugal}", "write two letters"),
        (
            "{email_domain: example.com}", "{group: staff}",
            "access.yml:3: applications[a].policies[p]: there is no group"
        ),
        ("{email_domain: example.com}", "{oidc: {claim_name: x}}", "identity_provider_id is missing"),
        ("include: [{email_domain: example.com}]", "require: [everyone]", "include is missing"),
        ("include: [{email_domain: example.com}]", "include: []", "access.yml:3: applications[a].policies[p].include"),
        ("include: [{email_domain: example.com}]", "include: everyone", "expected a list"),
        ("decision: allow", "decision: bypass", "a bypass policy cannot ask"),
        ("a.test", "https://a.test", "access.yml:2: applications[0].domains: \"https://a.test\" is a URL"),
        ("a.test", "a.test, a.test/", "already guarded"), ("name: a,", "", "name is missing"),
        ("policies:", "session_duration: 800h, policies:", "out of range"),
        ("policies:", "type: webapp, policies:", "\"webapp\" is not known"),
        ("policies:", "policies: []\n  policies:", "access.yml"),
        ("decision: allow", "decision: allow, precedence: -1", "is negative"),
        ("applications:", "aplications:", "access.yml:1: aplications: is not a known key; did you mean applications?"),
    ])
    func `an error names file, line and key`(part: String, broken: String, expected: String) {
        let good = """
            applications:
            - {name: a, domains: [a.test], policies: [
              {name: p,
               decision: allow,
               include: [{email_domain: example.com}]}]}
            """
        let text = problem { try file(good.replacingOccurrences(of: part, with: broken)) }
        #expect(!text.hasPrefix("made"))
        #expect(text.hasPrefix("access.yml"), "\(text)")
        #expect(text.contains(expected), "\(text)")
    }

    @Test func `aliases do not make a small file large`() {
        var text = "a0: &a0 [1, 1]\n"
        for level in 1...40 { text += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        #expect(problem { try file(text) }.contains("holds too much or nests too deeply"))
    }

    @Test func `a file that nests without end is refused`() {
        for opening in ["[", "{a: ", "- "] {
            let text = problem { try file(String(repeating: opening, count: 100_000)) }
            #expect(text.hasPrefix("access.yml"), "\(text.prefix(200))")
        }
    }

    @Test func `random damage to a file is refused or read, and never traps`() {
        var generator = SeededGenerator(seed: 5)
        let bytes = Array(whole.utf8)
        for _ in 0..<150 {
            var damaged = bytes
            for _ in 0..<3 {
                let index = Int.random(in: damaged.indices, using: &generator)
                damaged[index] = [0x20, 0x3A, 0x5B, 0x7D, 0x0A, 0x26, 0x78].randomElement(using: &generator) ?? 0x20
            }
            _ = problem { try file(String(decoding: damaged, as: UTF8.self)) }
        }
    }
}
