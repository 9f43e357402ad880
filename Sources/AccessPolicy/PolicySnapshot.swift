package import FoundationEssentials

/// What to do with one request.
package enum PolicyDecision: Hashable, Sendable {
    /// Pass it on. The token is the one that opened the door; nil when the host is open.
    case forward(Application, ServiceTokenID?)
    /// Nobody has opened this host.
    case closed
    /// The policy could not be read for too long, so nothing passes.
    case policyUnavailable
    /// The host wants a service token and none, or only half of one, was sent.
    case serviceTokenMissing(Application)
    /// Unknown id or wrong secret; which of the two is nobody's business.
    case serviceTokenWrong(Application)
    /// The right secret, too late.
    case serviceTokenExpired(Application)
    /// A live token that this application does not list.
    case serviceTokenNotAllowed(Application)
}

/// The whole Access policy at one moment. A value: replaced whole, read without waiting.
package struct PolicySnapshot: Hashable, Sendable {
    /// False only for `unavailable`.
    package let isAvailable: Bool
    /// By hostname.
    package let applications: [Application]
    package let tokens: [ServiceTokenID: ServiceTokenRecord]

    private let exact: [String: Application]
    /// Most particular first.
    private let wildcards: [Application]

    /// Where two applications name the same host, the one that lets fewer pass is kept.
    package init(applications: [Application], tokens: [ServiceTokenRecord]) {
        self.init(applications: applications, tokens: tokens, isAvailable: true)
    }

    /// Nothing is open.
    package static let empty = PolicySnapshot(applications: [], tokens: [])

    /// Nothing is open because nothing is known.
    package static let unavailable = PolicySnapshot(applications: [], tokens: [], isAvailable: false)

    private init(applications: [Application], tokens: [ServiceTokenRecord], isAvailable: Bool) {
        self.isAvailable = isAvailable
        var byHost: [String: Application] = [:]
        for application in applications {
            byHost[application.hostname.text] = Self.stricter(byHost[application.hostname.text], application)
        }
        exact = byHost.filter { !$0.value.hostname.isWildcard }
        wildcards = byHost.values.filter(\.hostname.isWildcard).sorted {
            let (left, right) = ($0.hostname, $1.hostname)
            return (right.literalLength, left.text) < (left.literalLength, right.text)
        }
        self.applications = byHost.values.sorted { $0.hostname.text < $1.hostname.text }
        self.tokens = Dictionary(tokens.map { ($0.id, $0) }, uniquingKeysWith: { _, last in last })
    }

    /// The application that guards `host`: the exact name, else the pattern with the most literal text.
    /// Case, port and a final dot do not count.
    package func application(forHost host: String) -> Application? {
        let name = ApplicationHostname.normalized(host: host)
        return exact[name] ?? wildcards.first { $0.hostname.matches(name) }
    }

    /// Decides about a request by its host and the service token headers it carries (nil: absent).
    package func decide(host: String, clientID: String?, clientSecret: String?, now: Date) -> PolicyDecision {
        guard isAvailable else { return .policyUnavailable }
        guard let application = application(forHost: host) else { return .closed }
        guard case .serviceToken(let allowed) = application.mode else { return .forward(application, nil) }
        switch tokens.verdict(clientID: clientID, clientSecret: clientSecret, now: now) {
        case .missing: return .serviceTokenMissing(application)
        case .wrong: return .serviceTokenWrong(application)
        case .expired: return .serviceTokenExpired(application)
        case .valid(let record) where allowed.contains(record.id): return .forward(application, record.id)
        case .valid: return .serviceTokenNotAllowed(application)
        }
    }

    private static func stricter(_ left: Application?, _ right: Application) -> Application {
        guard let left else { return right }
        switch (left.mode, right.mode) {
        case (.open, _): return right
        case (_, .open): return left
        case (.serviceToken(let first), .serviceToken(let second)):
            return Application(hostname: left.hostname, mode: .serviceToken(first.intersection(second)))
        }
    }
}
