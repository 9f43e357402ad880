import AccessPolicy
package import FoundationEssentials
import Synchronization
package import TunnelConfig

/// Checks, at the connector, that a request carries the assertion of an Access team, as `originRequest.access` asks for
/// (access-protocol section 3.9.1). Lives as long as the connector.
package final class AssertionVerifier: Sendable {
    package enum Verdict: Sendable, Equatable {
        case admitted
        /// There is none, or more than one.
        case missing
        /// Signature, issuer, kind or times are not good.
        case invalid
        /// It is for another application.
        case wrongAudience
        /// It cannot be checked, for this reason.
        case unknown(String)
    }

    /// A team and whom its certificate is checked by.
    private struct Team: Hashable, Sendable {
        var issuer: String
        var authorityFiles: [String]
    }

    private final class Keys: Sendable {
        let ring: TeamKeyRing
        let tokens: VerifiedTokens

        init(_ ring: TeamKeyRing, _ tokens: VerifiedTokens) {
            self.ring = ring
            self.tokens = tokens
        }
    }

    private static let rememberedTokens = 5_000

    private let authorityFiles: [String]
    private let schedule: TeamKeyRing.Schedule
    private let elapsed: @Sendable () -> Duration
    private let now: @Sendable () -> Date
    private let teams = Mutex<[Team: Keys]>([:])

    /// - Parameter authorityFiles: PEM files that a team's certificate may be checked by, besides the system's and the
    ///   rule's own.
    package init(
        authorityFiles: [String] = [], schedule: TeamKeyRing.Schedule = TeamKeyRing.Schedule(),
        clock: any Clock<Duration> = ContinuousClock(), now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.authorityFiles = authorityFiles
        self.schedule = schedule
        self.now = now
        elapsed = Self.stopwatch(clock)
    }

    /// The verdict where it can be given without waiting; nil: `verify` has to.
    ///
    /// - Parameter assertions: all values of the header.
    package func known(_ assertions: [String], for requirement: OriginRequest.AccessRequirement) -> Verdict? {
        guard assertions.count == 1, !assertions[0].isEmpty else { return .missing }
        guard let issuer = requirement.issuerURL else { return .unknown("the rule names no team") }
        switch keys(of: issuer, requirement).tokens.finding(on: assertions[0]) {
        case .good(let claims):
            guard claims.isLive(at: now()) else { return .invalid }
            return Self.verdict(on: claims.audience, requirement)
        case .bad: return .invalid
        case nil: return nil
        }
    }

    /// Looks at an assertion, with the team's keys. Ends within the deadline of a fetch.
    package func verify(_ assertion: String, for requirement: OriginRequest.AccessRequirement) async -> Verdict {
        guard let issuer = requirement.issuerURL else { return .unknown("the rule names no team") }
        guard let token = CompactToken(assertion) else { return .invalid }
        let keys = keys(of: issuer, requirement)
        do {
            guard let body = try await keys.ring.body(of: token, now: now()),
                // A global session is for the login alone, whatever its audience.
                body.type == "app", let claims = TokenClaims(body, kind: .app)
            else {
                keys.tokens.keep(.bad, on: assertion)
                return .invalid
            }
            keys.tokens.keep(.good(claims), on: assertion)
            return Self.verdict(on: claims.audience, requirement)
        } catch {
            return .unknown("\(error)")
        }
    }

    private static func verdict(on audience: [String], _ requirement: OriginRequest.AccessRequirement) -> Verdict {
        audience.contains { requirement.audTag.contains($0) } ? .admitted : .wrongAudience
    }

    private func keys(of issuer: String, _ requirement: OriginRequest.AccessRequirement) -> Keys {
        let files = authorityFiles + [requirement.caPool].compactMap(\.self)
        return teams.withLock { teams in
            let team = Team(issuer: issuer, authorityFiles: files)
            if let known = teams[team] { return known }
            let ring = TeamKeyRing(issuer: issuer, schedule: schedule, elapsed: elapsed) {
                try await KeySetDownload.get(issuer + "/cdn-cgi/access/certs", authorityFiles: files)
            }
            let keys = Keys(ring, VerifiedTokens(limit: Self.rememberedTokens, now: elapsed))
            teams[team] = keys
            return keys
        }
    }

    private static func stopwatch<C: Clock<Duration>>(_ clock: C) -> @Sendable () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }
}
