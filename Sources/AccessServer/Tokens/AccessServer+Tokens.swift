import Access
package import AccessPolicy
import Foundation
import Logging
import Synchronization

/// What is signed, and for how long (access-protocol sections 2.5, 3.5 and 3.10).
extension AccessServer {
    /// So long a token of an application lives at least: one that was over at once would send its bearer in circles.
    private static let shortestLife = 30

    func applicationToken(
        for application: AccessApplication, session: AccessSession, admission: AccessDecision.Admission
    ) async throws -> (text: String, expires: Int) {
        var body = identityBody(.app, audience: application.audience, session: session)
        let end = max(admission.expires.wholeSeconds, body.iat + Self.shortestLife)
        let expires = min(end, session.endsAt.wholeSeconds)
        body.exp = expires
        let custom = session.profile.claims.mapValues { JSONValue.array($0.map { .string($0) }) }
        body.custom = custom.isEmpty ? nil : custom
        let text = try await sign(body)
        guard text.utf8.count > CompactToken.longest else { return (text, expires) }
        // Somebody in very many groups: policies know them all the same, by the session.
        body.custom = nil
        return (try await sign(body), expires)
    }

    /// - Parameter isTransferred: for a program, by the transfer store (section 3.13, 10).
    func teamToken(for session: AccessSession, isTransferred: Bool) async throws -> (text: String, expires: Int) {
        var body = identityBody(.org, audience: names().teamAudience, session: session)
        let end = session.endsAt.wholeSeconds
        let expires = isTransferred ? min(end, body.iat + 86_400) : end
        body.exp = expires
        body.cli = isTransferred ? true : nil
        return (try await sign(body), expires)
    }

    package func assertion(
        for application: AccessApplication, admission: AccessDecision.Admission
    ) async -> String? {
        let name: String?
        switch admission.subject {
        // A user's own token is the assertion.
        case .user: return nil
        case .serviceToken(let id): name = id.rawValue
        case .certificate(let commonName): name = commonName
        }
        var body = TokenBody(type: TokenKind.app.rawValue, aud: .list([application.audience]), iat: now().wholeSeconds)
        body.iss = names().issuer
        body.exp = max(admission.expires.wholeSeconds, body.iat + Self.shortestLife)
        body.sub = ""
        body.commonName = name ?? ""
        body.jti = RandomText.hex(bytes: 16)
        do {
            return try await sign(body)
        } catch {
            logger.error("Access token cannot be signed", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Carries what was asked through the login; says nothing about anybody.
    func loginToken(
        for application: AccessApplication, host: String, redirect: RedirectPath, decisionPath: String,
        appSession: String, hasServiceToken: Bool
    ) async throws -> String {
        var body = TokenBody(type: TokenKind.meta.rawValue, aud: .list([application.audience]), iat: now().wholeSeconds)
        body.nbf = body.iat
        body.exp = body.iat + 600
        body.hostname = host
        body.redirectURL = redirect.text
        body.decisionPath = decisionPath == redirect.text ? nil : decisionPath
        body.appSession = RandomText.sha256(appSession)
        body.authStatus = "NONE"
        body.serviceTokenStatus = hasServiceToken
        return try await sign(body)
    }

    func sign(_ body: TokenBody) async throws -> String { try await keys.signer().sign(body) }

    private func identityBody(_ kind: TokenKind, audience: String, session: AccessSession) -> TokenBody {
        var body = TokenBody(type: kind.rawValue, aud: .list([audience]), iat: now().wholeSeconds)
        body.iss = names().issuer
        body.nbf = body.iat
        body.sub = session.profile.userID
        body.sid = session.id
        body.jti = RandomText.hex(bytes: 16)
        body.email = session.profile.email
        body.identityNonce = String(RandomText.sha256(session.id).prefix(16))
        return body
    }
}

/// Metadata tokens by application and host: anybody may ask for one, and signing is the dearest thing we do.
final class MetadataTokens: Sendable {
    private struct Place: Hashable {
        let audience: String
        let host: String
    }

    private static let lifetime: TimeInterval = 3600
    private static let most = 4096

    private let kept = Mutex([Place: (token: String, signedAt: Date)]())

    func token(
        audience: String, host: String, now: Date, sign: () async throws -> String
    ) async throws -> String {
        let place = Place(audience: audience, host: host)
        if let found = kept.withLock({ $0[place] }), now < found.signedAt + Self.lifetime, now >= found.signedAt {
            return found.token
        }
        let token = try await sign()
        kept.withLock { kept in
            if kept.count >= Self.most { kept = [:] }
            kept[place] = (token, now)
        }
        return token
    }
}

extension Date {
    var wholeSeconds: Int { Int(timeIntervalSince1970.rounded(.down)) }
}
