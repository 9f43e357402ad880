import Foundation
import JWTKit
import NIOHTTP1

/// Asks a hostname which application guards it, and believes the answer only with the signature of a team this client
/// trusts (access-protocol sections 2.5 and 2.6). So a hostile host cannot name another's application and get its token.
struct ApplicationDiscovery: Sendable {
    private static let timeout = Duration.seconds(7)
    private static let keysTimeout = Duration.seconds(10)
    private static let longestKeySet = 1 << 20
    /// How long a key set is used without asking again.
    private static let keyLife: TimeInterval = 24 * 3600
    /// A set that is younger is not fetched again for a signature that does not fit it.
    private static let leastRefetch: TimeInterval = 60
    private static let oldestAnswer: TimeInterval = 24 * 3600
    private static let clockSkew: TimeInterval = 300

    let store: TokenStore
    let transport: any LoginTransport
    let domains: AuthDomains
    let userAgent: String
    let now: @Sendable () -> Date

    func application(at url: WebURL) async throws -> ProtectedApplication {
        let answer = try await transport.send(
            WebRequest(
                .HEAD, url, headers: ["Cf-Access-Metadata-Request": "true", "User-Agent": userAgent],
                timeout: Self.timeout, longestBody: 0))
        guard let header = answer.headers.first(name: "cf-access-metadata") else {
            throw LoginError(
                .noApplication,
                "failed to find Access application at \(url.place); check the hostname, and that Access protects it")
        }
        guard let token = CompactToken(header), token.algorithm == "RS256", token.keyID != nil,
            let named = Self.unverified(token)
        else { throw refusal(url, "its metadata JWT is malformed") }
        guard let team = domains.allowed(named.authDomain) else {
            throw refusal(
                url,
                "its team domain \"\(Self.printable(named.authDomain))\" is not trusted here; if it is yours, name it with "
                    + "--auth-domain or TUNNEL_ACCESS_AUTH_DOMAINS")
        }
        guard let claims = try await verified(token, by: team) else {
            throw refusal(url, "its metadata JWT is not signed by \(team)")
        }
        guard claims.hostname.lowercased() == url.host else {
            throw refusal(url, "its metadata JWT is for another host")
        }
        guard claims.type == "match" else { throw refusal(url, "its metadata JWT is of another type") }
        guard !claims.aud.isEmpty else { throw refusal(url, "its metadata JWT names no application") }
        let age = now().timeIntervalSince1970 - Double(claims.iat)
        guard claims.iat > 0, age <= Self.oldestAnswer, age >= -Self.clockSkew else {
            throw refusal(url, "its metadata JWT is not of this time; check the clock of this machine")
        }
        let pattern = claims.appHostname.flatMap { $0.isEmpty ? nil : $0 } ?? claims.hostname
        guard [pattern, claims.aud].allSatisfy(Self.canNameFile) else {
            throw refusal(url, "its metadata JWT has an odd name")
        }
        return ProtectedApplication(url: url, hostname: pattern, audience: claims.aud, team: team)
    }

    // MARK: Keys

    private func verified(_ token: CompactToken, by team: AuthDomain) async throws -> Claims? {
        let file = ProtectedApplication.keyFile(team)
        if let written = store.modified(file), let keys = try store.read(file).flatMap({ TeamKeys(json: $0.utf8) }) {
            let age = now().timeIntervalSince(written)
            if age < Self.keyLife {
                if let claims = await keys.verified(token, as: Claims.self) { return claims }
                guard age > Self.leastRefetch else { return nil }
            }
        }
        return await (try fetchKeys(of: team)).verified(token, as: Claims.self)
    }

    private func fetchKeys(of team: AuthDomain) async throws -> TeamKeys {
        let url = WebURL(team, path: "/cdn-cgi/access/certs")
        let answer = try await transport.send(
            WebRequest(
                .GET, url, headers: ["User-Agent": userAgent], timeout: Self.keysTimeout,
                longestBody: Self.longestKeySet))
        guard answer.status == 200, let keys = TeamKeys(json: answer.body) else {
            throw LoginError(
                .badAnswer, "\(url.place) answered \(answer.status) without keys; check that \(team) is the team domain"
            )
        }
        // Without it they are fetched again next time.
        try? store.write(keys.json, to: ProtectedApplication.keyFile(team))
        return keys
    }

    // MARK: Claims

    private struct Claims: JWTPayload {
        var type: String
        var hostname: String
        var authDomain: String
        var aud: String
        var appHostname: String?
        var iat: Int64

        enum CodingKeys: String, CodingKey {
            case type, hostname, aud, iat
            case authDomain = "auth_domain"
            case appHostname = "app_hostname"
        }

        /// All is checked by hand, in the order of the official client.
        func verify(using algorithm: some JWTAlgorithm) throws {}
    }

    private static func unverified(_ token: CompactToken) -> Claims? {
        let payload = token.text.split(separator: ".", omittingEmptySubsequences: false)[1]
        return Base64URL.decode(payload).flatMap { try? JSONDecoder().decode(Claims.self, from: Data($0)) }
    }

    private static func canNameFile(_ text: String) -> Bool {
        text.utf8.count <= 200 && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
    }

    private static func printable(_ text: String) -> String {
        String(
            text.prefix(100).map { $0.isASCII && ($0.isLetter || $0.isNumber || ".:-@/#?%".contains($0)) ? $0 : "?" })
    }

    private func refusal(_ url: WebURL, _ reason: String) -> LoginError {
        LoginError(.untrustedApplication, "cannot trust the Access application at \(url.place): \(reason)")
    }
}
