package import TunnelConfig

/// One condition of a policy or group (access-protocol section 3.12). Those that need an outside service are not here.
package enum Selector: Hashable, Sendable {
    /// Always; in an `allow` policy, whoever has logged in.
    case everyone
    /// The verified address, in any case of its ASCII letters.
    case email(ExactText)
    /// What follows the last `@` of the verified address.
    case emailDomain(ExactText)
    /// The visitor's address.
    case ip(IPPrefix)
    /// The visitor's address, in a list of the configuration.
    case ipList(String)
    /// Where the visitor is: two letters, upper case.
    case country(String)
    /// A live service token, by the id of its record.
    case serviceToken(ExactText)
    case anyValidServiceToken
    /// The identity provider that was used, by its id.
    case loginMethod(ExactText)
    /// A claim of the identity provider; of a list, one element.
    case oidc(provider: ExactText, claim: String, value: ExactText)
    /// How the provider authenticated the person: an entry of `amr`.
    case authMethod(ExactText)
    /// Any client certificate that was verified.
    case certificate
    case commonName(ExactText)
    /// A rule group, by its id.
    case group(String)

    package static func email(_ text: String) -> Selector { .email(ExactText(folding: text)) }

    package static func emailDomain(_ text: String) -> Selector { .emailDomain(ExactText(folding: text)) }

    /// Whether it asks who has logged in. A group is as its members are.
    var needsIdentity: Bool {
        switch self {
        case .email, .emailDomain, .loginMethod, .oidc, .authMethod: true
        case .everyone, .ip, .ipList, .country, .serviceToken, .anyValidServiceToken, .certificate, .commonName, .group:
            false
        }
    }

    var needsServiceToken: Bool {
        switch self {
        case .serviceToken, .anyValidServiceToken: true
        default: false
        }
    }
}

extension Selector: CustomStringConvertible {
    /// The official key, and what it is compared with.
    package var description: String {
        switch self {
        case .everyone: "everyone"
        case .email(let email): "email \(email)"
        case .emailDomain(let domain): "email_domain \(domain)"
        case .ip(let prefix): "ip \(prefix)"
        case .ipList(let id): "ip_list \(id)"
        case .country(let code): "geo \(code)"
        case .serviceToken(let id): "service_token \(id)"
        case .anyValidServiceToken: "any_valid_service_token"
        case .loginMethod(let id): "login_method \(id)"
        case .oidc(let provider, let claim, let value): "oidc \(provider) \(claim)=\(value)"
        case .authMethod(let method): "auth_method \(method)"
        case .certificate: "certificate"
        case .commonName(let name): "common_name \(name)"
        case .group(let id): "group \(id)"
        }
    }
}
