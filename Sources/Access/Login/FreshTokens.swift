import Foundation
import Synchronization

/// Remembers which tokens this process got and nobody has taken yet, so that an edge that refuses what it just gave does
/// not send a person to the browser for every connection.
///
/// Lives as long as the login it belongs to.
final class FreshTokens: Sendable {
    /// How long no further login is begun for an application that refused a fresh token.
    static let pause: TimeInterval = 60

    private struct State {
        /// By token file.
        var untried: [String: AccessToken] = [:]
        /// By token file, when a fresh one was refused.
        var refused: [String: Date] = [:]
    }

    private let state = Mutex(State())

    func acquired(_ token: AccessToken, _ file: String) { state.withLock { $0.untried[file] = token } }

    /// The edge let somebody in with it.
    func accepted(_ token: AccessToken, _ file: String) {
        state.withLock { state in
            state.refused[file] = nil
            if state.untried[file] == token { state.untried[file] = nil }
        }
    }

    /// - Returns: whether nobody ever got in with it.
    func refused(_ token: AccessToken, _ file: String, at now: Date) -> Bool {
        state.withLock { state in
            guard state.untried[file] == token else { return false }
            state.untried[file] = nil
            state.refused[file] = now
            return true
        }
    }

    /// - Throws: `LoginError` (refused) while the pause lasts.
    func check(_ application: ProtectedApplication, at now: Date) throws {
        let file = application.tokenFile
        let rest = state.withLock { state -> TimeInterval? in
            guard let time = state.refused[file] else { return nil }
            let rest = Self.pause - now.timeIntervalSince(time)
            // A clock that was set back must not lengthen it.
            guard rest > 0, rest <= Self.pause else {
                state.refused[file] = nil
                return nil
            }
            return rest
        }
        guard let rest else { return }
        throw LoginError(
            .refused,
            "\(application.url.authority) did not take the token of the last login: no further login is begun for "
                + "\(Int(rest.rounded(.up))) s; check the clocks and the edge's log, or start cloudflared again to log in now"
        )
    }
}
