import Access
import AccessPolicy
import Foundation

/// Who somebody is, as an identity provider has said it in a token that was found good.
struct ProviderIdentity: Sendable, Hashable {
    var subject: String
    /// Only a verified one.
    var email: String?
    var name: String?
    var authMethods: [String]
    var claims: [String: [String]]

    private static let hop = "id_token"
    private static let mostValues = 4096
    private static let longestText = 1024

    /// Checks the claims of a signed ID token (OpenID Connect Core 3.1.3.7; access-protocol section 3.13, 2 and 12).
    ///
    /// - Returns: the subject.
    static func check(
        _ claims: [String: JSONValue], issuer: String, clientID: String, nonce: String, now: Date
    ) throws -> String {
        func refuse(_ reason: String) -> ProviderFailure { ProviderFailure(.untrusted, hop, reason) }
        let seconds = now.timeIntervalSince1970
        guard claims["iss"]?.text == issuer else { throw refuse("it is from another issuer") }
        let audience = claims["aud"]?.texts ?? []
        guard audience.contains(clientID) else { throw refuse("it is for another application") }
        let party = claims["azp"]
        guard party == nil && audience.count == 1 || party?.text == clientID else {
            throw refuse("it was issued to another application")
        }
        guard let exp = claims["exp"]?.number, exp > seconds else { throw refuse("it has expired") }
        guard let iat = claims["iat"]?.number, iat <= seconds + TokenVerifier.skew,
            claims["nbf"].map({ ($0.number ?? .infinity) <= seconds + TokenVerifier.skew }) ?? true
        else {
            throw refuse("it is not valid yet; check the clocks of the provider and of the edge")
        }
        guard let sent = claims["nonce"]?.text, sent == nonce else { throw refuse("it belongs to another login") }
        guard let subject = claims["sub"]?.text, !subject.isEmpty, subject.utf8.count <= longestText else {
            throw refuse("it does not say who logged in")
        }
        return subject
    }

    /// From checked claims, those of the ID token before those of userinfo.
    init(subject: String, claims: [String: JSONValue], of provider: IdentityProvider) {
        self.subject = subject
        name = claims["name"]?.text.map { String($0.prefix(256)) }
        authMethods = Self.bounded(claims["amr"])
        let kept = Set(provider.claims + ["groups"])
        self.claims = kept.reduce(into: [:]) { result, name in
            let values = Self.bounded(claims[name])
            if !values.isEmpty { result[name] = values }
        }
        email = Self.email(claims, provider)
    }

    /// Whether the ID token leaves open what userinfo may know.
    static func isIncomplete(_ claims: [String: JSONValue], for provider: IdentityProvider) -> Bool {
        (provider.claims + ["groups", provider.emailClaim]).contains { claims[$0] == nil }
    }

    private static func email(_ claims: [String: JSONValue], _ provider: IdentityProvider) -> String? {
        guard let text = claims[provider.emailClaim]?.texts.first, text.utf8.count <= 320, text.contains("@"),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
        else { return nil }
        // What is said to be verified is the claim `email` and no other.
        guard provider.emailClaim == "email" else { return provider.assumesEmailVerified ? text : nil }
        // Some providers send the word.
        switch claims["email_verified"]?.texts.first {
        case "true": return text
        case nil: return provider.assumesEmailVerified ? text : nil
        default: return nil
        }
    }

    private static func bounded(_ value: JSONValue?) -> [String] {
        Array((value?.texts ?? []).lazy.filter { $0.utf8.count <= longestText }.prefix(mostValues))
    }
}
