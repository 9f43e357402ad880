import Crypto
import TunnelConfig
import Yams

extension AccessFileReader {
    private static let selectorKeys = [
        "email", "email_domain", "everyone", "ip", "ip_list", "geo", "service_token", "any_valid_service_token",
        "login_method", "oidc", "auth_method", "certificate", "common_name", "group",
    ]

    /// One selector in its official JSON shape, `{"email": {"email": "ann@example.com"}}`; or its key alone, or with its
    /// one text, where no more is needed.
    mutating func selector(_ entry: Entry) throws(ConfigError) -> Selector {
        if let word = entry.value.scalar?.string {
            guard let selector = Self.bare(word) else {
                throw values.error(
                    "\(quoted(word)) is not a selector that stands alone", at: entry,
                    suggestion: "write for example email: ann@example.com")
            }
            return selector
        }
        let fields = try fields(of: entry, known: Self.selectorKeys, keepsEmpty: true)
        guard fields.count == 1, let (key, field) = fields.first else {
            throw values.error("a selector has one key", at: entry, suggestion: "begin each with its own dash")
        }
        if let selector = Self.bare(key) {
            if field.value.mapping?.isEmpty ?? values.isNull(field.value) { return selector }
            throw values.error("takes no value", at: field, suggestion: "write \(key): {}")
        }
        return try selector(key, field)
    }

    private static func bare(_ word: String) -> Selector? {
        switch word {
        case "everyone": .everyone
        case "any_valid_service_token": .anyValidServiceToken
        case "certificate": .certificate
        default: nil
        }
    }

    private mutating func selector(_ key: String, _ entry: Entry) throws(ConfigError) -> Selector {
        switch key {
        case "email":
            let email = try value(entry, "email")
            guard email.contains("@") else { throw values.error("\(quoted(email)) is not an address", at: entry) }
            return .email(email)
        case "email_domain":
            let domain = try value(entry, "domain")
            guard !domain.contains("@") else {
                throw values.error(
                    "\(quoted(domain)) is not a domain", at: entry, suggestion: "write what follows the @")
            }
            return .emailDomain(domain)
        case "ip":
            let text = try value(entry, "ip")
            guard let prefix = IPPrefix(text) ?? IPAddress(text).map(IPPrefix.init(single:)) else {
                throw values.error("\(quoted(text)) is not an address or block", at: entry)
            }
            return .ip(prefix)
        case "geo":
            let code = try value(entry, "country_code").uppercased()
            guard code.utf8.count == 2, code.utf8.allSatisfy({ (65...90).contains($0) }) else {
                throw values.error("\(quoted(code)) is not a country", at: entry, suggestion: "write two letters: PT")
            }
            return .country(code)
        case "oidc": return try oidc(entry)
        case "ip_list": return .ipList(try value(entry, "id"))
        case "service_token": return .serviceToken(ExactText(try value(entry, "token_id")))
        case "login_method": return .loginMethod(ExactText(try value(entry, "id")))
        case "auth_method": return .authMethod(ExactText(try value(entry, "auth_method")))
        case "common_name": return .commonName(ExactText(try value(entry, "common_name")))
        case "group": return .group(try value(entry, "id"))
        default: throw values.error("\(quoted(key)) is not a selector", at: entry)
        }
    }

    private mutating func oidc(_ entry: Entry) throws(ConfigError) -> Selector {
        let fields = try fields(of: entry, known: ["identity_provider_id", "claim_name", "claim_value"])
        func required(_ key: String) throws(ConfigError) -> Entry {
            guard let field = fields[key] else { throw missing(key, of: entry) }
            return field
        }
        let provider = try values.string(try required("identity_provider_id"))
        let claim = try values.string(try required("claim_name"))
        let value = try values.string(try required("claim_value"))
        return .oidc(provider: ExactText(provider), claim: claim, value: ExactText(value))
    }

    /// The one text of a selector, under `key` or directly.
    private mutating func value(_ entry: Entry, _ key: String) throws(ConfigError) -> String {
        let field = entry.value.scalar != nil ? entry : try fields(of: entry, known: [key])[key]
        guard let field, let text = try text(field) else { throw missing(key, of: entry) }
        return text
    }
}

extension String {
    /// An audience tag for an application that was given none: 64 hexadecimal digits, the same wherever and whenever the
    /// same file is read. It tells applications apart and is no secret; the issuer tells teams apart.
    package static func audience(ofApplication id: String) -> String {
        SHA256.hash(data: Array("access application \(id)".utf8)).reduce(into: "") { text, byte in
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
}
