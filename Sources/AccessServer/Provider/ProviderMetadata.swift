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
            document = try JSONDecoder.snakeCase.decode(Document.self, from: json)
        } catch {
            throw ProviderFailure(.badAnswer, Self.hop, "it is not a discovery document")
        }
        guard Self.withoutSlash(document.issuer) == Self.withoutSlash(provider.issuer) else {
            throw ProviderFailure(.untrusted, Self.hop, "it names another issuer than the one that is configured")
        }
        issuer = document.issuer
        authorizationEndpoint = try Self.checked(document.authorizationEndpoint)
        tokenEndpoint = try Self.checked(document.tokenEndpoint)
        keysEndpoint = try Self.checked(document.jwksUri)
        userinfoEndpoint = try document.userinfoEndpoint.map(Self.checked)
        sendsIssuer = document.authorizationResponseIssParameterSupported ?? false
        let methods = document.tokenEndpointAuthMethodsSupported ?? ["client_secret_basic"]
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

    private struct Document: Decodable {
        let issuer: String
        let authorizationEndpoint: String
        let tokenEndpoint: String
        let jwksUri: String
        let userinfoEndpoint: String?
        let authorizationResponseIssParameterSupported: Bool?
        let tokenEndpointAuthMethodsSupported: [String]?
    }
}
