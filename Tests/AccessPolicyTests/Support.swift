import FoundationEssentials
import Testing
import TunnelConfig

@testable import AccessPolicy

let now = Date(timeIntervalSince1970: 1_800_000_000)
let secret = ServiceTokenSecret("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

let toEveryone = Criteria(include: [.everyone])

func policy(_ name: String, _ action: Policy.Action, _ criteria: Criteria = toEveryone, precedence: Int = 0) -> Policy {
    Policy(id: name, action: action, precedence: precedence, criteria: criteria)
}

func application(_ id: String, _ domains: [String], _ policies: [Policy]) throws -> AccessApplication {
    AccessApplication(
        id: id, audience: "aud-\(id)", domains: try domains.map { try ApplicationDomain.parse($0) }, policies: policies)
}

/// A configuration of one application at `app.test`.
func guarding(
    _ policies: [Policy], groups: [RuleGroup] = [], lists: [IPList] = [], tokens: [ServiceTokenRecord] = []
) throws -> AccessConfiguration {
    try AccessConfiguration(
        applications: [try application("app", ["app.test"], policies)], groups: groups, lists: lists, tokens: tokens)
}

func facts(
    _ host: String = "app.test", _ target: String = "/", address: String = "192.0.2.7", country: String? = "PT",
    certificate: ClientCertificate? = nil
) throws -> RequestFacts {
    RequestFacts(
        authority: host, target: target, address: try #require(IPAddress(address)), country: country,
        certificate: certificate)
}

func person(
    _ email: String? = "ann@example.com", provider: String = "corp", methods: [String] = ["pwd", "mfa"],
    claims: [String: [String]] = ["groups": ["rdp", "café"]], sessionEnd: Date = now + 3600
) -> Identity {
    Identity(
        subject: "u-1", email: email, loginMethod: provider, authMethods: methods, claims: claims,
        sessionEnd: sessionEnd)
}

func record(_ id: String, recordID: String? = nil, expires: Date? = nil) -> ServiceTokenRecord {
    ServiceTokenRecord(
        id: ServiceTokenID(rawValue: id), recordID: recordID, secretHash: secret.hash, name: id, createdAt: now - 60,
        expiresAt: expires)
}

func presented(_ id: String, _ secret: ServiceTokenSecret = secret) -> PresentedServiceToken {
    PresentedServiceToken(clientID: id, clientSecret: secret)
}

/// A decision in one word and a name, as tables have it.
func brief(_ decision: AccessDecision) -> String {
    switch decision {
    case .unguarded: "unguarded"
    case .refused(.notAHost): "refused host"
    case .refused(.ambiguousPath(let ids)): "ambiguous \(ids.joined(separator: "+"))"
    case .refused(.undecidablePath): "undecidable"
    case .bypass(_, let policy): "bypass \(policy)"
    case .forward(_, let policy, let admission):
        switch admission.subject {
        case .user: "user \(policy)"
        case .serviceToken(let id): "token \(id) \(policy)"
        case .certificate(let name): "certificate \(name ?? "-") \(policy)"
        }
    case .loginNeeded(_, let lack): "login \(lack)"
    case .serviceTokenNeeded(_, let lack): "service \(lack)"
    case .denied(_, .policy(let policy)): "denied \(policy)"
    case .denied(_, .noPolicy): "denied"
    }
}

extension AccessConfiguration {
    func brief(
        _ facts: RequestFacts, _ identity: Identity? = nil, _ token: PresentedServiceToken? = nil
    ) -> String {
        AccessPolicyTests.brief(decide(facts, identity: identity, serviceToken: token, now: now))
    }
}

func problem(_ work: () throws -> Any) -> String {
    do {
        return "made \(try work())"
    } catch {
        return "\(error)"
    }
}
