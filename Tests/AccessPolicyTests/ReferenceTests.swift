import Fuzzing
import Testing
import TunnelConfig

@testable import AccessPolicy

/// The decision against a second one that is written in another way: three-valued logic in numbers (no 0, perhaps 1,
/// yes 2), everything evaluated, nothing remembered.
struct ReferenceTests {
    struct Reference {
        let configuration: AccessConfiguration
        let facts: RequestFacts
        let identity: Identity?
        let token: ServiceTokenRecord?

        func value(_ selector: Selector, doubt: Bool, phase: Int) -> Int {
            func known(_ fact: Bool?) -> Int { (fact ?? doubt) ? 2 : 0 }
            func personal(_ fact: (Identity) -> Bool?) -> Int {
                if phase == 1 { return known(nil) }
                guard let identity else { return 1 }
                return known(fact(identity))
            }
            switch selector {
            case .everyone: return 2
            case .email(let email): return personal { $0.email.map { "\(email)" == $0.lowercased() } }
            case .emailDomain(let domain): return personal { $0.email.map { $0.lowercased().hasSuffix("@\(domain)") } }
            case .ip(let prefix): return known(prefix.contains(facts.address))
            case .ipList(let id):
                return known(configuration.lists[id]?.prefixes.filter { $0.contains(facts.address) }.isEmpty == false)
            case .country(let code): return known(facts.country.map { $0 == code })
            case .serviceToken(let id): return known(token?.recordID == "\(id)")
            case .anyValidServiceToken: return known(token != nil)
            case .loginMethod(let id): return personal { $0.loginMethod == "\(id)" }
            case .oidc(let provider, let claim, let value):
                return personal { $0.loginMethod == "\(provider)" && $0.claims[claim]?.contains(value) == true }
            case .authMethod(let method): return personal { $0.authMethods.map { "\($0)" }.contains("\(method)") }
            case .certificate: return known(facts.certificate.map { _ in true })
            case .commonName(let name): return known(facts.certificate.map { $0.commonName == "\(name)" })
            case .group(let id):
                return configuration.groups[id].map { value($0.criteria, doubt: doubt, phase: phase) } ?? 0
            }
        }

        func value(_ criteria: Criteria, doubt: Bool, phase: Int) -> Int {
            let include = criteria.include.map { value($0, doubt: doubt, phase: phase) }.max() ?? 0
            let require = criteria.require.map { value($0, doubt: doubt, phase: phase) }.min() ?? 2
            let exclude = criteria.exclude.map { value($0, doubt: !doubt, phase: phase) }.max() ?? 0
            return min(include, require, 2 - exclude)
        }

        func decide(_ policies: [Policy]) -> String {
            let first = policies.filter { $0.action == .bypass || $0.action == .nonIdentity }
            for policy in first.sorted(by: { $0.precedence < $1.precedence })
            where value(policy.criteria, doubt: false, phase: 1) == 2 {
                if policy.action == .bypass { return "bypass \(policy.id)" }
                if let token { return "token \(token.id) \(policy.id)" }
                if let certificate = facts.certificate {
                    return "certificate \(certificate.commonName ?? "-") \(policy.id)"
                }
            }
            let rest = policies.filter { $0.action == .allow || $0.action == .deny }
            for policy in rest.sorted(by: { $0.precedence < $1.precedence }) {
                let value = value(policy.criteria, doubt: policy.action == .deny, phase: 2)
                if policy.action == .deny, value == 2 { return "denied \(policy.id)" }
                if policy.action == .allow, value > 0 {
                    return identity == nil ? "login \(token == nil ? "missing" : "notAllowed")" : "user \(policy.id)"
                }
            }
            if rest.isEmpty, identity == nil, !policies.filter({ $0.action == .nonIdentity }).isEmpty {
                return "service \(token == nil ? "missing" : "notAllowed")"
            }
            return "denied"
        }
    }

    static let perRequest: [Selector] =
        [
            .everyone, .country("PT"), .country("ES"), .certificate, .commonName(ExactText("robot")), .ipList("net"),
        ] + ["192.0.2.0/25", "::/0"].compactMap { IPPrefix($0).map { .ip($0) } }

    static let personal: [Selector] = [
        .email("ann@example.com"), .emailDomain("example.com"), .loginMethod(ExactText("corp")),
        .oidc(provider: ExactText("corp"), claim: "groups", value: ExactText("rdp")), .authMethod(ExactText("mfa")),
        .anyValidServiceToken, .serviceToken(ExactText("t")),
    ]

    func criteria(_ pool: [Selector], using generator: inout SeededGenerator) -> Criteria {
        func some(_ counts: ClosedRange<Int>) -> [Selector] {
            (0..<Int.random(in: counts, using: &generator)).compactMap { _ in pool.randomElement(using: &generator) }
        }
        return Criteria(include: some(1...3), require: some(0...2), exclude: some(0...1))
    }

    func configuration(using generator: inout SeededGenerator) throws -> AccessConfiguration {
        var open = Self.perRequest
        var all = Self.perRequest + Self.personal
        var groups: [RuleGroup] = []
        for number in 0..<4 {
            groups.append(RuleGroup(id: "open\(number)", criteria: criteria(open, using: &generator)))
            groups.append(RuleGroup(id: "all\(number)", criteria: criteria(all, using: &generator)))
            open.append(.group("open\(number)"))
            all += [.group("open\(number)"), .group("all\(number)")]
        }
        let actions = Policy.Action.allCases
        let policies = (0..<Int.random(in: 0...5, using: &generator)).map { number in
            let action = actions.randomElement(using: &generator) ?? .deny
            return policy(
                "p\(number)", action, criteria(action == .bypass ? open : all, using: &generator),
                precedence: number * 7 % 5)
        }
        let prefix = try #require(IPPrefix("192.0.2.0/24"))
        return try guarding(
            policies.shuffled(using: &generator), groups: groups.shuffled(using: &generator),
            lists: [IPList(id: "net", prefixes: [prefix])], tokens: [record("t"), record("u")])
    }

    @Test(arguments: 1...8)
    func `random policies decide as the reference does, and explain what they decide`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var seen: Set<Substring> = []
        for _ in 0..<60 {
            let configuration = try configuration(using: &generator)
            let policies = try #require(configuration.applications.first).policies
            for _ in 0..<12 {
                func one<Value>(_ values: [Value]) throws -> Value {
                    try #require(values.randomElement(using: &generator))
                }
                let facts = try facts(
                    address: one(["192.0.2.7", "192.0.2.200", "203.0.113.1", "2001:db8::1"]),
                    country: one(["PT", "ES", nil]),
                    certificate: one([
                        nil, nil, ClientCertificate(commonName: "robot"), ClientCertificate(commonName: nil),
                    ]))
                let identity = try one([
                    nil, person(), person("bob@example.com", methods: []), person(nil),
                    person("ann@example.com", provider: "other"),
                ])
                let id = try one([nil, nil, "t", "u"])
                let reference = Reference(
                    configuration: configuration, facts: facts, identity: identity, token: id.map { record($0) })
                let token = id.map { presented($0) }
                let decided = configuration.brief(facts, identity, token)
                #expect(decided == reference.decide(policies))
                seen.insert(decided.prefix { $0 != " " })

                let explained = configuration.explain(facts, identity: identity, serviceToken: token, now: now)
                #expect(brief(explained.decision) == decided)
                #expect(explained.steps.map(\.policy.id) == policies.inEvaluationOrder.map(\.id))
            }
        }
        #expect(seen.isSuperset(of: ["bypass", "token", "certificate", "user", "login", "denied"]))
    }
}
