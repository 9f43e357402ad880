import Access
import AccessPolicy
import Crypto
import Foundation
import Synchronization

/// The relying party's side of OpenID Connect: authorization code with PKCE, `state` and `nonce` (access-protocol
/// section 3.6). Keeps what providers publish for a while.
final class ProviderClient: Sendable {
    /// What only this login knows.
    struct Secrets: Sendable {
        let nonce = RandomText.token()
        let verifier = RandomText.token()
    }

    private struct Cached<Value: Sendable>: Sendable {
        let value: Value
        let readAt: Date
    }

    private struct Cache {
        var metadata: [IdentityProvider: Cached<ProviderMetadata>] = [:]
        var keys: [IdentityProvider: Cached<ProviderKeys>] = [:]
        var failures: [IdentityProvider: Cached<ProviderFailure>] = [:]
    }

    private static let metadataAge: TimeInterval = 3600
    private static let keysAge: TimeInterval = 3600
    /// Between two looks at the keys because one was not among them.
    private static let keysPause: TimeInterval = 1
    /// How long a provider that did not tell where it is to be asked is left alone: people who wait for it would only be
    /// more, and so would be what they have asked for.
    private static let failurePause: TimeInterval = 5
    private static let mostCached = 64

    private let patience: Duration
    private let now: @Sendable () -> Date
    private let cache = Mutex(Cache())

    init(patience: Duration, now: @escaping @Sendable () -> Date) {
        self.patience = patience
        self.now = now
    }

    /// Where the browser is sent.
    func authorizationURL(
        _ provider: IdentityProvider, state: String, secrets: Secrets, redirectURI: String
    ) async throws -> String {
        let endpoint = try await metadata(of: provider).authorizationEndpoint
        var scopes = provider.scopes
        scopes.removeAll { $0 == "openid" }
        let query = Form.query([
            "response_type": "code", "client_id": provider.clientID, "redirect_uri": redirectURI,
            "scope": (["openid"] + scopes).joined(separator: " "), "state": state, "nonce": secrets.nonce,
            "code_challenge": Base64URL.encode(SHA256.hash(data: Data(secrets.verifier.utf8))),
            "code_challenge_method": "S256",
        ])
        return endpoint + (endpoint.contains("?") ? "&" : "?") + query
    }

    /// Makes a code into the person who logged in.
    ///
    /// - Parameter issuer: the `iss` parameter of the callback, if there was one.
    func identity(
        _ provider: IdentityProvider, code: String, issuer: String?, secrets: Secrets, redirectURI: String
    ) async throws -> ProviderIdentity {
        let metadata = try await metadata(of: provider)
        // Another provider's answer, led here to have its code tried at this one (RFC 9207).
        guard issuer == metadata.issuer || issuer == nil && !metadata.sendsIssuer else {
            throw ProviderFailure(
                .untrusted, "callback", "it comes from another provider than the login was begun with")
        }
        let tokens = try await tokens(
            provider, metadata, code: code, verifier: secrets.verifier, redirectURI: redirectURI)
        guard tokens.idToken.utf8.count <= CompactToken.longest else {
            throw ProviderFailure(.badAnswer, "id_token", "it is longer than 8 KiB; ask for fewer claims")
        }
        var claims = try await signedClaims(tokens.idToken, provider, metadata)
        let subject = try ProviderIdentity.check(
            claims, issuer: metadata.issuer, clientID: provider.clientID, nonce: secrets.nonce, now: now())
        if let endpoint = metadata.userinfoEndpoint, let bearer = tokens.accessToken,
            ProviderIdentity.isIncomplete(claims, for: provider)
        {
            let more = try await userinfo(provider, endpoint, bearer: bearer, subject: subject)
            claims.merge(more) { token, _ in token }
        }
        return ProviderIdentity(subject: subject, claims: claims, of: provider)
    }

    // MARK: Requests

    private struct Tokens: Decodable {
        let idToken: String
        let accessToken: String?
    }

    private func tokens(
        _ provider: IdentityProvider, _ metadata: ProviderMetadata, code: String, verifier: String,
        redirectURI: String
    ) async throws -> Tokens {
        let hop = "token endpoint"
        let secret = provider.clientSecret.text
        let fields = Form.query([
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirectURI, "code_verifier": verifier,
        ])
        let own = Form.query(["client_id": provider.clientID])
        let exchange = self.exchange(provider, hop)
        let answer: Data
        if secret.isEmpty {
            answer = try await exchange.post(metadata.tokenEndpoint, form: "\(fields)&\(own)", authorization: nil)
        } else if metadata.takesBasicAuthentication {
            let pair = "\(Form.encoded(provider.clientID)):\(Form.encoded(secret))"
            answer = try await exchange.post(
                metadata.tokenEndpoint, form: fields,
                authorization: "Basic \(Data(pair.utf8).base64EncodedString())")
        } else {
            let secret = Form.query(["client_secret": secret])
            answer = try await exchange.post(
                metadata.tokenEndpoint, form: "\(fields)&\(own)&\(secret)", authorization: nil)
        }
        guard let tokens = try? JSONDecoder.snakeCase.decode(Tokens.self, from: answer) else {
            throw ProviderFailure(.badAnswer, hop, "it sent no id_token")
        }
        return tokens
    }

    private func userinfo(
        _ provider: IdentityProvider, _ endpoint: String, bearer: String, subject: String
    ) async throws -> [String: JSONValue] {
        let answer = try await exchange(provider, "userinfo").get(endpoint, bearer: bearer)
        guard let claims = try? JSONDecoder().decode([String: JSONValue].self, from: answer) else {
            throw ProviderFailure(.badAnswer, "userinfo", "it is not plain JSON")
        }
        guard claims["sub"]?.text == subject else {
            throw ProviderFailure(.untrusted, "userinfo", "it is about somebody else")
        }
        return claims
    }

    private func signedClaims(
        _ token: String, _ provider: IdentityProvider, _ metadata: ProviderMetadata
    ) async throws -> [String: JSONValue] {
        if let claims = try await keys(of: provider, metadata, isStale: false).claims(of: token) { return claims }
        // The provider may have a new key since.
        guard let claims = try await keys(of: provider, metadata, isStale: true).claims(of: token) else {
            throw ProviderFailure(.untrusted, "id_token", "none of the provider's published keys has signed it")
        }
        return claims
    }

    private func exchange(_ provider: IdentityProvider, _ hop: String) -> ProviderExchange {
        ProviderExchange(provider: provider, hop: hop, patience: patience)
    }

    // MARK: What is kept

    private func metadata(of provider: IdentityProvider) async throws -> ProviderMetadata {
        let now = now()
        if let cached = cache.withLock({ $0.metadata[provider] }), now < cached.readAt + Self.metadataAge {
            return cached.value
        }
        if let failure = cache.withLock({ $0.failures[provider] }), now < failure.readAt + Self.failurePause {
            throw failure.value
        }
        let value: ProviderMetadata
        do {
            let answer = try await exchange(provider, ProviderMetadata.hop)
                .get(ProviderMetadata.address(of: provider))
            value = try ProviderMetadata(json: answer, of: provider)
        } catch let failure as ProviderFailure {
            cache.withLock { cache in
                if cache.failures.count >= Self.mostCached { cache.failures = [:] }
                cache.failures[provider] = Cached(value: failure, readAt: self.now())
            }
            throw failure
        }
        cache.withLock { cache in
            if cache.metadata.count >= Self.mostCached { cache.metadata = [:] }
            cache.metadata[provider] = Cached(value: value, readAt: now)
        }
        return value
    }

    private func keys(
        of provider: IdentityProvider, _ metadata: ProviderMetadata, isStale: Bool
    ) async throws -> ProviderKeys {
        let now = now()
        let age = isStale ? Self.keysPause : Self.keysAge
        if let cached = cache.withLock({ $0.keys[provider] }), now < cached.readAt + age { return cached.value }
        let answer = try await exchange(provider, "keys").get(metadata.keysEndpoint)
        let value = try ProviderKeys(json: answer)
        cache.withLock { cache in
            if cache.keys.count >= Self.mostCached { cache.keys = [:] }
            cache.keys[provider] = Cached(value: value, readAt: now)
        }
        return value
    }
}
