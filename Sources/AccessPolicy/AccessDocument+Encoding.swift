import TunnelConfig

extension AccessDocument {
    package init(_ application: AccessApplication) {
        self.init(kind: .application, id: application.id, json: application.json.text)
    }

    package init(_ group: RuleGroup) {
        let members = [("id", JSONText.string(group.id)), ("name", .string(group.name))] + group.criteria.members
        self.init(kind: .group, id: group.id, json: JSONText.object(members).text)
    }

    package init(_ list: IPList) {
        self.init(
            kind: .ipList, id: list.id,
            json: JSONText.object([
                ("id", .string(list.id)), ("prefixes", .strings(list.prefixes.map(\.description))),
            ]).text)
    }

    package init(_ provider: IdentityProvider) {
        self.init(kind: .identityProvider, id: provider.id, json: provider.json.text)
    }

    /// - Parameter globalSession: nil: nothing is set.
    package init(globalSession: SessionDuration?) {
        self.init(
            kind: .settings, id: Self.settingsID,
            json: JSONText.object(globalSession.map { [("session_duration", .string($0.description))] } ?? []).text)
    }
}

extension AccessFile {
    /// The whole file, a document for each thing in it.
    package var documents: [AccessDocument] {
        (globalSession == nil ? [] : [AccessDocument(globalSession: globalSession)])
            + providers.map { AccessDocument($0) } + lists.map { AccessDocument($0) }
            + groups.map { AccessDocument($0) } + applications.map { AccessDocument($0) }
    }
}

extension AccessApplication {
    fileprivate var json: JSONText {
        var members: [(String, JSONText)] = [
            ("id", .string(id)), ("name", .string(name)), ("aud", .string(audience)), ("type", .string(kind.rawValue)),
            ("domains", .strings(domains.map(\.description))),
        ]
        if let sessionDuration { members.append(("session_duration", .string(sessionDuration.description))) }
        if answersServiceAuthWith401 { members.append(("service_auth_401_redirect", .bool(true))) }
        if let serviceTokenHeader { members.append(("read_service_tokens_from_header", .string(serviceTokenHeader))) }
        if !allowedOrigins.isEmpty { members.append(("allowed_origins", .strings(allowedOrigins))) }
        if !destinations.isEmpty {
            let grants = destinations.map { grant in
                JSONText.object(
                    [("allow", .strings(grant.destinations.texts))] + (grant.criteria.map(\.members) ?? []))
            }
            members.append(("destinations", .array(grants)))
        }
        members.append(("policies", .array(policies.map(\.json))))
        return .object(members)
    }
}

extension Policy {
    fileprivate var json: JSONText {
        var members: [(String, JSONText)] = [
            ("id", .string(id)), ("name", .string(name)), ("decision", .string(action.rawValue)),
            ("precedence", .integer(precedence)),
        ]
        if let sessionDuration { members.append(("session_duration", .string(sessionDuration.description))) }
        return .object(members + criteria.members)
    }
}

extension IdentityProvider {
    fileprivate var json: JSONText {
        var config: [(String, JSONText)] = [
            ("issuer", .string(issuer)), ("client_id", .string(clientID)),
            ("client_secret", .string(clientSecret.text)),
            ("scopes", .strings(scopes)), ("claims", .strings(claims)), ("email_claim_name", .string(emailClaim)),
            ("assume_email_verified", .bool(assumesEmailVerified)),
        ]
        if let authorityFile { config.append(("ca_pool", .string(authorityFile))) }
        return .object([
            ("id", .string(id)), ("name", .string(name)), ("type", .string("oidc")), ("config", .object(config)),
        ])
    }
}

extension Criteria {
    fileprivate var members: [(String, JSONText)] {
        [
            ("include", .array(include.map(\.json))), ("require", .array(require.map(\.json))),
            ("exclude", .array(exclude.map(\.json))),
        ]
    }
}

extension Selector {
    /// In the official shape.
    fileprivate var json: JSONText {
        func one(_ key: String, _ inner: String, _ value: some CustomStringConvertible) -> JSONText {
            .object([(key, .object([(inner, .string(value.description))]))])
        }
        return switch self {
        case .everyone: .object([("everyone", .object([]))])
        case .anyValidServiceToken: .object([("any_valid_service_token", .object([]))])
        case .certificate: .object([("certificate", .object([]))])
        case .email(let email): one("email", "email", email)
        case .emailDomain(let domain): one("email_domain", "domain", domain)
        case .ip(let prefix): one("ip", "ip", prefix)
        case .ipList(let id): one("ip_list", "id", id)
        case .country(let code): one("geo", "country_code", code)
        case .serviceToken(let id): one("service_token", "token_id", id)
        case .loginMethod(let id): one("login_method", "id", id)
        case .authMethod(let method): one("auth_method", "auth_method", method)
        case .commonName(let name): one("common_name", "common_name", name)
        case .group(let id): one("group", "id", id)
        case .oidc(let provider, let claim, let value):
            .object([
                (
                    "oidc",
                    .object([
                        ("identity_provider_id", .string(provider.description)), ("claim_name", .string(claim)),
                        ("claim_value", .string(value.description)),
                    ])
                )
            ])
        }
    }
}

extension JSONText {
    fileprivate static func strings(_ texts: [String]) -> JSONText { .array(texts.map { .string($0) }) }
}
