package import TunnelConfig

/// Applications, groups, lists and service tokens at one moment, checked so that deciding by them can neither fail nor
/// take long. A value: replaced whole, read without waiting.
package struct AccessConfiguration: Hashable, Sendable {
    package let applications: [AccessApplication]
    package let groups: [String: RuleGroup]
    package let lists: [String: IPList]
    package let tokens: [ServiceTokenID: ServiceTokenRecord]
    /// How long a login at the team domain opens applications without another.
    package let globalSession: SessionDuration

    let index: ApplicationIndex
    /// The policies of each application in the order they are asked.
    let evaluationOrder: [AccessApplication.ID: [Policy]]

    /// What one configuration may hold; far above any real one.
    package enum Limits {
        package static let applications = 10_000
        /// Of all applications together.
        package static let domains = 100_000
        package static let policiesPerApplication = 1_000
        package static let groups = 2_000
        /// In all policies, groups and grants together.
        package static let selectors = 200_000
        package static let listEntries = 200_000
    }

    /// Refuses, with the place and the reason, what could not be decided by or would not mean what it says.
    ///
    /// - Parameter globalSession: nil: 24 hours.
    package init(
        applications: [AccessApplication], groups: [RuleGroup] = [], lists: [IPList] = [],
        tokens: [ServiceTokenRecord] = [], globalSession: SessionDuration? = nil
    ) throws(ConfigError) {
        try Self.bound(applications.count, Limits.applications, "applications")
        try Self.bound(applications.reduce(0) { $0 + $1.domains.count }, Limits.domains, "domains")
        try Self.bound(groups.count, Limits.groups, "groups")
        try Self.bound(lists.reduce(0) { $0 + $1.prefixes.count }, Limits.listEntries, "ip_lists")
        try Self.checkUnique(applications.map(\.id), "applications")
        // Tokens are told apart by it: with the same one, whoever is let into one application is let into the other.
        try Self.checkUnique(applications.map(\.audience), "applications.aud")
        try Self.checkUnique(groups.map(\.id), "groups")
        try Self.checkUnique(lists.map(\.id), "ip_lists")
        self.applications = applications
        self.groups = Dictionary(groups.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        self.lists = Dictionary(lists.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        self.tokens = Dictionary(tokens.map { ($0.id, $0) }, uniquingKeysWith: { _, last in last })
        self.globalSession = globalSession ?? .standard
        index = try ApplicationIndex(applications)
        evaluationOrder = Dictionary(
            applications.map { ($0.id, $0.policies.inEvaluationOrder) }, uniquingKeysWith: { first, _ in first })
        var check = ConfigurationCheck(
            groups: self.groups, lists: self.lists, traits: try GroupCheck.traits(of: self.groups))
        for group in groups { try check.check(group.criteria, at: "groups[\(group.id)]") }
        for application in applications { try check.check(application) }
    }

    /// Guards nothing.
    package static let empty: AccessConfiguration = {
        do {
            return try AccessConfiguration(applications: [])
        } catch {
            preconditionFailure("nothing is always a good configuration: \(error)")
        }
    }()

    private static func bound(_ count: Int, _ most: Int, _ key: String) throws(ConfigError) {
        guard count <= most else { throw ConfigError("\(count) entries are more than \(most)", key: key) }
    }

    private static func checkUnique(_ ids: [String], _ key: String) throws(ConfigError) {
        var seen: Set<String> = []
        for id in ids {
            guard !id.isEmpty else {
                throw ConfigError("a value is empty", suggestion: "give each its own", key: key)
            }
            guard seen.insert(id).inserted else {
                throw ConfigError("\(quoted(id)) is given twice", suggestion: "remove or rename one", key: key)
            }
        }
    }
}

/// The checks of policies and lists of selectors, with the count of what was seen.
struct ConfigurationCheck {
    let groups: [String: RuleGroup]
    let lists: [String: IPList]
    let traits: [String: GroupCheck.Traits]
    private var selectors = 0

    init(groups: [String: RuleGroup], lists: [String: IPList], traits: [String: GroupCheck.Traits]) {
        self.groups = groups
        self.lists = lists
        self.traits = traits
    }

    mutating func check(_ application: AccessApplication) throws(ConfigError) {
        let key = "applications[\(application.id)]"
        guard !application.domains.isEmpty else {
            throw ConfigError("the application guards nothing", suggestion: "list its domains", key: key + ".domains")
        }
        guard application.policies.count <= AccessConfiguration.Limits.policiesPerApplication else {
            throw ConfigError("the application has too many policies", key: key + ".policies")
        }
        guard application.destinations.isEmpty || application.kind == .bastion else {
            throw ConfigError(
                "destinations have no meaning for the type \(application.kind.rawValue)",
                suggestion: "write type: bastion", key: key + ".destinations")
        }
        var seen: Set<String> = []
        for policy in application.policies {
            let place = "\(key).policies[\(policy.name)]"
            guard seen.insert(policy.id).inserted else {
                throw ConfigError("the id \(quoted(policy.id)) is given twice", key: place)
            }
            try check(policy.criteria, at: place)
            if policy.action == .bypass { try checkBypass(policy, at: place) }
        }
        for (number, grant) in application.destinations.enumerated() {
            if let criteria = grant.criteria { try check(criteria, at: "\(key).destinations[\(number)]") }
        }
    }

    mutating func check(_ criteria: Criteria, at key: String) throws(ConfigError) {
        guard !criteria.include.isEmpty else {
            throw ConfigError(
                "include is empty, so it would never match", suggestion: "for everybody write everyone: {}",
                key: key + ".include")
        }
        for selector in criteria.selectors {
            selectors += 1
            guard selectors <= AccessConfiguration.Limits.selectors else {
                throw ConfigError(
                    "there are more than \(AccessConfiguration.Limits.selectors) selectors",
                    suggestion: "use lists and claims of the identity provider", key: key)
            }
            switch selector {
            case .group(let id) where groups[id] == nil:
                throw ConfigError(
                    "there is no group \(quoted(id))", suggestion: ConfigKeys.hint(for: id, among: groups.keys),
                    key: key)
            case .ipList(let id) where lists[id] == nil:
                throw ConfigError(
                    "there is no ip list \(quoted(id))", suggestion: ConfigKeys.hint(for: id, among: lists.keys),
                    key: key)
            default: continue
            }
        }
    }

    /// A bypass is decided before anybody's identity is known, and forwards without naming anybody (section 3.12).
    private func checkBypass(_ policy: Policy, at key: String) throws(ConfigError) {
        for selector in policy.criteria.selectors {
            var (identity, token) = (selector.needsIdentity, selector.needsServiceToken)
            if case .group(let id) = selector, let traits = traits[id] {
                (identity, token) = (traits.needsIdentity, traits.needsServiceToken)
            }
            if identity {
                throw ConfigError(
                    "a bypass policy cannot ask who somebody is, as \(quoted(selector.description)) does",
                    suggestion: "write decision: allow", key: key)
            }
            if token {
                throw ConfigError(
                    "a bypass policy cannot ask for a service token, as \(quoted(selector.description)) does",
                    suggestion: "write decision: non_identity", key: key)
            }
        }
    }
}
