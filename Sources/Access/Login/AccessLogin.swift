package import Foundation
package import Logging
import NIOHTTP1

/// Gets, keeps and checks the tokens of a person for applications behind Access (access-protocol section 2).
///
/// One for a process, which shares it: at a time one login runs for a token, and whoever needs the token meanwhile waits
/// for the same. Across processes a lock file does that.
package final class AccessLogin: Sendable {
    package struct Configuration: Sendable {
        /// Which teams are believed.
        package var domains: AuthDomains
        /// Where logins leave their tokens.
        package var storeURL: WebURL
        /// Whether the browser's page closes itself.
        package var closesPage = false
        package var userAgent: String

        package init(domains: AuthDomains, storeURL: WebURL, userAgent: String) {
            self.domains = domains
            self.storeURL = storeURL
            self.userAgent = userAgent
        }
    }

    private static let checkTimeout = Duration.seconds(5)

    let configuration: Configuration
    let store: TokenStore
    let transport: any LoginTransport
    let presenter: any LoginPresenter
    let logger: Logger
    let clock: any Clock<Duration>
    let now: @Sendable () -> Date
    let gate = TokenGate()
    private let freshTokens = FreshTokens()

    package init(
        _ configuration: Configuration, store: TokenStore, transport: any LoginTransport,
        presenter: any LoginPresenter, logger: Logger, clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.configuration = configuration
        self.store = store
        self.transport = transport
        self.presenter = presenter
        self.logger = logger
        self.clock = clock
        self.now = now
    }

    /// Which application guards an address; it has proved it.
    ///
    /// - Throws: `LoginError`, or an error of the transport.
    package func application(at url: WebURL) async throws -> ProtectedApplication {
        try await ApplicationDiscovery(
            store: store, transport: transport, domains: configuration.domains, userAgent: configuration.userAgent,
            now: now
        ).application(at: url)
    }

    /// The token on disk, if there is one that may still count.
    ///
    /// - Throws: `LoginError` (storage) for a file that is not the user's alone.
    package func storedToken(of application: ProtectedApplication) throws -> AccessToken? {
        guard let token = try stored(application.tokenFile) else { return nil }
        guard token.audience.contains(application.audience) else {
            store.remove(application.tokenFile)
            return nil
        }
        // Of another team that has the same names: not ours to send, nor to remove.
        return application.isNamed(by: token) ? token : nil
    }

    /// The token on disk, else one for the team's token, else one that a person gets in the browser.
    ///
    /// - Throws: `LoginError`, or `CancellationError`.
    package func token(for application: ProtectedApplication) async throws -> AccessToken {
        try await gate.share(application.tokenFile) { [self] in
            if let token = try storedToken(of: application) { return token }
            try freshTokens.check(application, at: now())
            try store.prepare()
            let turn = try await TokenLock.take(
                lockFile(application.tokenFile), clock: clock, now: now,
                onWaiting: { [self] pid in
                    presenter.otherProcessWaits(pid: pid, url: try? store.read(addressFile(application.tokenFile)))
                },
                found: { try self.storedToken(of: application) })
            switch turn {
            case .found(let token):
                return token
            case .locked(let lock):
                defer { lock.release() }
                let token = try await acquire(application)
                freshTokens.acquired(token, application.tokenFile)
                return token
            }
        }
    }

    /// A token of which the edge said that it does not count: it is not used again.
    ///
    /// - Returns: whether it came from a login of this process and nobody got in with it. Then another login is no help,
    ///   and for a while none is begun.
    @discardableResult
    package func discard(_ token: AccessToken, of application: ProtectedApplication) -> Bool {
        // Another connection may have put a better one there meanwhile.
        if (try? stored(application.tokenFile)) == token { store.remove(application.tokenFile) }
        return freshTokens.refused(token, application.tokenFile, at: now())
    }

    /// A token with which the edge let somebody in.
    package func confirm(_ token: AccessToken, of application: ProtectedApplication) {
        freshTokens.accepted(token, application.tokenFile)
    }

    /// Whether the edge takes a token: anything but "log in first" says so (section 2.13).
    package func isAccepted(_ token: AccessToken, at url: WebURL) async throws -> Bool {
        var url = url
        url.set([("cloudflared_token_check", "true")])
        let answer = try await transport.send(
            WebRequest(
                .GET, url, headers: ["User-Agent": configuration.userAgent, "Cf-Access-Token": token.text],
                timeout: Self.checkTimeout))
        return !LoginRedirect.isOne(
            status: answer.status, location: answer.headers.first(name: "location"), target: url.path)
    }

    /// A token that the edge takes: one that it refuses is replaced once.
    package func acceptedToken(for application: ProtectedApplication) async throws -> AccessToken {
        for _ in 0..<2 {
            let token = try await token(for: application)
            if try await isAccepted(token, at: application.url) {
                confirm(token, of: application)
                return token
            }
            if discard(token, of: application) { break }
        }
        throw LoginError(
            .refused,
            "failed to verify token: \(application.url.authority) does not take the one it just gave; check the clocks and the"
                + " edge's log")
    }

    // MARK: Acquiring, under the lock

    private func acquire(_ application: ProtectedApplication) async throws -> AccessToken {
        let file = application.teamTokenFile
        let tried = try stored(file)
        if let tried, let token = try await exchange(tried, application) { return token }
        // Several applications of a team wait for one login of it.
        let turn = try await TokenLock.take(
            lockFile(file), clock: clock, now: now,
            onWaiting: { [self] in presenter.otherProcessWaits(pid: $0, url: try? store.read(addressFile(file))) },
            found: { nil as AccessToken? })
        guard case .locked(let lock) = turn else { throw CancellationError() }
        defer { lock.release() }
        // Whoever was waited for may have left one.
        if let left = try stored(file), left != tried, let token = try await exchange(left, application) {
            return token
        }
        return try await transfer(application)
    }

    /// Nil when the team's token leads nowhere any more.
    private func exchange(
        _ teamToken: AccessToken, _ application: ProtectedApplication
    ) async throws -> AccessToken? {
        do {
            let exchange = TokenExchange(
                application: application, transport: transport, userAgent: configuration.userAgent)
            let token = try await exchange.token(for: teamToken)
            guard token.isLive(at: now()) else { return nil }
            try store.write(token.text, to: application.tokenFile)
            return token
        } catch let error as LoginError {
            throw error
        } catch {
            if Task.isCancelled { throw CancellationError() }
            logger.debug(
                "The team's session does not open the application, a login follows", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func stored(_ file: String) throws -> AccessToken? {
        guard let token = try store.read(file, isSecret: true).flatMap(AccessToken.init) else { return nil }
        guard token.isLive(at: now()) else {
            store.remove(file)
            return nil
        }
        return token
    }

    private func lockFile(_ file: String) -> String { store.path(file + ".lock") }
    func addressFile(_ file: String) -> String { file + ".url" }
}

extension AccessLogin {
    /// Logs in if need be, and has the team certify a key for ssh.
    ///
    /// - Throws: `LoginError`, or an error of the transport.
    package func certifyKey(at url: WebURL) async throws {
        let application = try await application(at: url)
        try await ShortLivedKey(url, in: store).certify(
            by: try await acceptedToken(for: application), of: application, transport,
            userAgent: configuration.userAgent)
    }
}
