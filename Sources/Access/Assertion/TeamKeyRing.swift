import AccessPolicy
package import FoundationEssentials

/// The keys of one team as a connector knows them: fetched when they are needed, by one caller at a time and not too
/// often, and of no use once they are too old. An actor; lives as long as the connector.
package actor TeamKeyRing {
    /// How often keys are fetched, and how long they count.
    package struct Schedule: Sendable {
        /// Keys are looked at again after this, which is what the team tells caches.
        package var refreshAfter: Duration = .seconds(3600)
        /// Older keys are no keys: a team that cannot be asked lets nobody in.
        package var maximumAge: Duration = .seconds(6 * 3600)
        /// Between two fetches, whatever keys tokens name.
        package var pause: Duration = .seconds(60)
        /// The same as long as there are no keys at all.
        package var pauseWithoutKeys: Duration = .seconds(2)

        package init() {}
    }

    /// Gets the key set (JWKS) of the team, with a deadline of its own.
    package typealias Fetch = @Sendable () async throws -> [UInt8]

    private let issuer: String
    private let schedule: Schedule
    private let elapsed: @Sendable () -> Duration
    private let fetch: Fetch
    private var verifier: TokenVerifier?
    private var fetchedAt: Duration?
    private var triedAt: Duration?
    private var isFetching = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    /// Why the last fetch failed; nil when it did not.
    package private(set) var failure: (any Error)?

    package init(
        issuer: String, schedule: Schedule = Schedule(), elapsed: @escaping @Sendable () -> Duration,
        fetch: @escaping Fetch
    ) {
        self.issuer = issuer
        self.schedule = schedule
        self.elapsed = elapsed
        self.fetch = fetch
    }

    /// Whether there are keys to check a token by.
    private var hasKeys: Bool {
        verifier != nil && fetchedAt.map { elapsed() - $0 <= schedule.maximumAge } ?? false
    }

    /// What a good application token of the team says; nil for any other.
    ///
    /// - Throws: `AssertionError.keysUnavailable` when there are no keys to check it by.
    package func body(of token: CompactToken, now: Date) async throws -> TokenBody? {
        await fetchIfNeeded(for: token)
        guard hasKeys, let verifier else { throw AssertionError.keysUnavailable(failure) }
        return await verifier.body(of: token, kind: .app, issuer: issuer, now: now)
    }

    private func fetchIfNeeded(for token: CompactToken) async {
        let isNeeded = !hasKeys || !(verifier?.knowsKey(of: token) ?? false)
        let isOld = fetchedAt.map { elapsed() - $0 > schedule.refreshAfter } ?? true
        guard isNeeded || isOld else { return }
        if isFetching {
            // Whoever has a key goes on with it.
            if isNeeded { await withCheckedContinuation { waiters.append($0) } }
            return
        }
        let pause = hasKeys ? schedule.pause : schedule.pauseWithoutKeys
        guard triedAt.map({ elapsed() - $0 >= pause }) ?? true else { return }
        await fetchOnce()
    }

    private func fetchOnce() async {
        isFetching = true
        let start = elapsed()
        triedAt = start
        do {
            guard let keys = TeamKeys(json: try await fetch()) else { throw AssertionError.noKeySet }
            verifier = try await TokenVerifier(
                keys: keys.keys.filter { $0.alg ?? "RS256" == "RS256" }.map {
                    TokenSigner.PublicKey(id: $0.kid, modulus: $0.n, exponent: $0.e)
                })
            fetchedAt = start
            failure = nil
        } catch {
            failure = error
        }
        isFetching = false
        let waiting = waiters
        waiters = []
        for waiter in waiting { waiter.resume() }
    }
}

/// Why an assertion cannot be checked.
package enum AssertionError: Error, CustomStringConvertible {
    /// With the reason, if the team was asked and gave none.
    case keysUnavailable((any Error)?)
    case noKeySet
    case badAnswer(status: Int)

    package var description: String {
        switch self {
        case .keysUnavailable(let cause):
            "the keys of the Access team cannot be had" + (cause.map { ": \($0)" } ?? "")
        case .noKeySet: "what the team's certs address answers is no set of RSA keys"
        case .badAnswer(let status): "the team's certs address answers \(status)"
        }
    }
}
