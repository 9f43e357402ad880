package import TunnelConfig

/// What a set of policies guards, under one audience tag (access-protocol sections 3.11 and 3.12).
package struct AccessApplication: Hashable, Sendable, Identifiable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case selfHosted = "self_hosted"
        case ssh, rdp, smb, tcp, bastion

        /// Carries TCP in a WebSocket, so that no page of a browser has business with it.
        package var isTCP: Bool { self != .selfHosted }
    }

    package var id: String
    package var name: String
    /// The AUD tag that its tokens carry.
    package var audience: String
    package var kind: Kind
    package var domains: [ApplicationDomain]
    package var policies: [Policy]
    /// Nil: 24 hours, unless the policy says otherwise.
    package var sessionDuration: SessionDuration?
    /// Answer 401, not 403, to a request without a good service token where nobody could log in.
    package var answersServiceAuthWith401 = false
    /// A header that carries id and secret of a service token as one JSON object (section 3.8).
    package var serviceTokenHeader: String?
    /// Origins, such as `https://app.example.com`, whose pages may open a WebSocket here beside the host's own.
    package var allowedOrigins: [String] = []
    /// Where a bastion may connect to, and for whom. Nothing listed: nowhere.
    package var destinations: [DestinationGrant] = []

    package init(
        id: String, name: String? = nil, audience: String, kind: Kind = .selfHosted, domains: [ApplicationDomain],
        policies: [Policy], sessionDuration: SessionDuration? = nil
    ) {
        self.id = id
        self.name = name ?? id
        self.audience = audience
        self.kind = kind
        self.domains = domains
        self.policies = policies
        self.sessionDuration = sessionDuration
    }

    /// A whole host that is open to everyone.
    package static func open(_ host: ApplicationHostname) -> AccessApplication {
        whole(host, [Policy(id: "open", action: .bypass, criteria: Criteria(include: [.everyone]))])
    }

    /// A whole host for the holders of these service tokens, by their record ids. None: nobody passes.
    package static func forServiceTokens(_ recordIDs: [String], at host: ApplicationHostname) -> AccessApplication {
        guard !recordIDs.isEmpty else { return whole(host, []) }
        let tokens = Set(recordIDs).sorted().map { Selector.serviceToken(ExactText($0)) }
        return whole(
            host, [Policy(id: "service-tokens", action: .nonIdentity, criteria: Criteria(include: tokens))])
    }

    private static func whole(_ host: ApplicationHostname, _ policies: [Policy]) -> AccessApplication {
        AccessApplication(
            id: host.text, audience: .audience(ofApplication: host.text), domains: [ApplicationDomain(host: host)],
            policies: policies)
    }

    /// Whether everyone may pass, whoever they are.
    package var isOpen: Bool { policies.contains(where: \.opensToAll) }

    /// Whether a login can lead to anything.
    package var hasLogin: Bool { policies.contains { $0.action == .allow } }

    /// Whether a page of `origin`, an `Origin` header's value, may open a WebSocket at `host` (section 3.13, 6). Programs
    /// send none.
    package func admits(origin: String?, at host: CanonicalHost) -> Bool {
        guard let origin else { return true }
        guard origin.utf8.starts(with: "https://".utf8) else { return false }
        let authority = origin.dropFirst("https://".count)
        if !kind.isTCP, CanonicalHost(authority: authority) == host { return true }
        return allowedOrigins.contains { ExactText(folding: $0) == ExactText(folding: origin) }
    }
}

/// Destinations of a bastion, and who may reach them (section 3.13, 7).
package struct DestinationGrant: Hashable, Sendable {
    package var destinations: DestinationAllowList
    /// Beyond being let in by the application. Nil: whoever is let in.
    package var criteria: Criteria?

    package init(destinations: DestinationAllowList, criteria: Criteria? = nil) {
        self.destinations = destinations
        self.criteria = criteria
    }
}
