import AccessPolicy
import Foundation

/// What an identity provider tells about itself (OpenID Connect Discovery 1.0), checked.
struct ProviderMetadata: Sendable, Hashable {
    /// Exactly as the provider writes it: so it stands in its tokens.
    let issuer: String
    let authorizationEndpoint: String
    let tokenEndpoint: String
    let keysEndpoint: String
    let userinfoEndpoint: String?
    let sendsIssuer: Bool
    let takesBasicAuthentication: Bool

    /// - Throws: `ProviderFailure` when it is another provider's, or leads away from https.
    init(json: Data, of provider: IdentityProvider) throws {
        let document: Document
        do {
            document = try JSONDecoder().decode(Document.self, from: json)
        } catch {
            throw ProviderFailure(.badAnswer, Self.hop, "it is not a discovery document")
        }
        guard Self.withoutSlash(document.issuer) == Self.withoutSlash(provider.issuer) else {
            throw ProviderFailure(.untrusted, Self.hop, "it names another issuer than the one that is configured")
        }
        issuer = document.issuer
        authorizationEndpoint = try Self.checked(document.authorization_endpoint)
        tokenEndpoint = try Self.checked(document.token_endpoint)
        keysEndpoint = try Self.checked(document.jwks_uri)
        userinfoEndpoint = try document.userinfo_endpoint.map(Self.checked)
        sendsIssuer = document.authorization_response_iss_parameter_supported ?? false
        let methods = document.token_endpoint_auth_methods_supported ?? ["client_secret_basic"]
        takesBasicAuthentication = methods.contains("client_secret_basic") || !methods.contains("client_secret_post")
    }

    static let hop = "discovery document"

    static func address(of provider: IdentityProvider) -> String {
        withoutSlash(provider.issuer) + "/.well-known/openid-configuration"
    }

    private static func withoutSlash(_ text: String) -> String {
        text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    private static func checked(_ url: String) throws -> String {
        guard url.hasPrefix("https://"), url.utf8.count <= 2048, !url.contains("#"),
            url.utf8.allSatisfy({ (0x21...0x7e).contains($0) }), let parts = URLComponents(string: url),
            parts.host?.isEmpty == false, parts.user == nil
        else {
            throw ProviderFailure(.untrusted, hop, "it names an endpoint that is not an https URL")
        }
        return url
    }

    // The names are the standard's.
    private struct Document: Decodable {
        let issuer: String
        let authorization_endpoint: String
        let token_endpoint: String
        let jwks_uri: String
        let userinfo_endpoint: String?
        let authorization_response_iss_parameter_supported: Bool?
        let token_endpoint_auth_methods_supported: [String]?
    }
}
