import AccessPolicy
import EdgeStore
import Foundation

/// The account API's JSON of Access things, from and to the documents of the store. Conditions that are not understood
/// are refused, by the store; what only changes looks is left out.
enum AccessShape {
    /// What the store's reader does not know and nobody is let in or kept out by.
    private static let ignored: Set<String> = [
        "uid", "created_at", "updated_at", "app_launcher_visible", "app_launcher_logo_url", "logo_url", "tags",
        "custom_pages", "custom_deny_message", "custom_deny_url", "custom_non_identity_deny_url", "skip_interstitial",
        "http_only_cookie_attribute", "same_site_cookie_attribute", "path_cookie_attribute", "enable_binding_cookie",
        "auto_redirect_to_identity", "skip_app_launcher_login_page", "is_default", "app_count", "reusable",
        "scim_config", "landing_page_design", "policy_id",
    ]

    /// What would guard an application better than this edge does: not to be passed over.
    private static let stricter: [(String, JSONValue)] = [
        ("enable_binding_cookie", .bool(true)), ("path_cookie_attribute", .bool(true)),
        ("same_site_cookie_attribute", .string("strict")),
    ]

    /// A document of what a caller sent.
    ///
    /// - Parameter former: what is replaced, for what the caller need not repeat.
    static func document(
        _ kind: AccessDocument.Kind, id: String, _ sent: JSONValue, former: JSONValue?
    ) throws -> AccessDocument {
        guard case .object = sent else { throw Refusal.invalid("the body is not the JSON object that this call takes") }
        var object = plain(sent)
        object["id"] = .string(id)
        for (key, value) in stricter where sent.object[key] == value {
            throw Refusal.invalid(
                "\(key) is not done here, and its application would be less safe than meant; leave it out")
        }
        switch kind {
        case .application: object = try application(object, former: former?.object ?? [:])
        case .identityProvider: object = try provider(object, former: former?.object ?? [:])
        case .group, .ipList, .settings: break
        }
        return AccessDocument(kind: kind, id: id, json: try text(.object(object)))
    }

    /// A policy as it stands in its application's document.
    static func policy(id: String, _ sent: JSONValue) -> JSONValue {
        var object = plain(sent)
        object["id"] = .string(id)
        return .object(object)
    }

    /// What a caller is shown.
    static func shown(_ document: AccessDocument) throws -> JSONValue {
        var object = try value(document).object
        switch document.kind {
        case .application:
            let domains = object.removeValue(forKey: "domains")?.array ?? []
            object["domain"] = domains.first
            object["self_hosted_domains"] = .array(domains)
            let reached = domains.map { JSONValue.object(["type": .string("public"), "uri": $0]) }
            object["destinations"] = .array(reached + (object["destinations"]?.array ?? []))
        case .identityProvider:
            var config = object["config"]?.object ?? [:]
            config["client_secret"] = nil
            object["config"] = .object(config)
        case .group, .ipList, .settings: break
        }
        return .object(object)
    }

    static func value(_ document: AccessDocument) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(document.json.utf8))
    }

    static func text(_ value: JSONValue) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    private static func plain(_ sent: JSONValue) -> [String: JSONValue] {
        sent.object.filter { !ignored.contains($0.key) && $0.value != .null }
    }

    private static func application(
        _ sent: [String: JSONValue], former: [String: JSONValue]
    ) throws -> [String: JSONValue] {
        var object = sent
        guard object.removeValue(forKey: "allowed_idps")?.isVoid ?? true else {
            throw Refusal.invalid("allowed_idps is not known here; write a policy that requires login_method")
        }
        var domains = [object.removeValue(forKey: "domain")].compactMap(\.self)
        domains += object.removeValue(forKey: "self_hosted_domains")?.array ?? []
        let destinations = object.removeValue(forKey: "destinations")?.array ?? []
        domains += destinations.compactMap { $0.object["type"] == .string("public") ? $0.object["uri"] : nil }
        var seen: [JSONValue] = []
        for domain in domains where !seen.contains(domain) { seen.append(domain) }
        object["domains"] = object["domains"] ?? .array(seen)
        let onward = destinations.filter { $0.object["type"] != .string("public") }
        if !onward.isEmpty { object["destinations"] = .array(onward) }
        // The tag stays as long as the application does.
        object["aud"] = former["aud"]
        guard case .array(let policies) = object["policies"] ?? former["policies"] ?? .array([]) else {
            throw Refusal.invalid("policies is a list of policies")
        }
        object["policies"] = .array(
            try policies.map { policy in
                guard !policy.object.isEmpty else {
                    throw Refusal.invalid("policies takes whole policies; there are none to refer to by id")
                }
                return Self.policy(
                    id: policy.object["id"]?.text ?? UUID().uuidString.lowercased(), policy)
            })
        return object
    }

    private static func provider(
        _ sent: [String: JSONValue], former: [String: JSONValue]
    ) throws -> [String: JSONValue] {
        var object = sent
        var config = sent["config"]?.object.filter { $0.value != .null } ?? [:]
        // Always used.
        config["pkce_enabled"] = nil
        if config["client_secret"] == nil, let known = former["config"]?.object["client_secret"] {
            // The new issuer would be sent the secret for the old one.
            guard config["issuer"] == former["config"]?.object["issuer"] else {
                throw Refusal.invalid("with another issuer, config takes the client_secret for it")
            }
            config["client_secret"] = known
        }
        object["config"] = .object(config)
        return object
    }
}
