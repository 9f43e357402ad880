package import AccessPolicy
import Crypto
import FoundationEssentials
import Synchronization

/// What was found about tokens, for a short while and within a bound, so that a request with a known token waits for
/// nobody. Lives as long as the edge or connector.
///
/// Tokens are known by their SHA-256. What is found bad is kept apart: a flood of forged tokens cannot push good ones out.
package final class VerifiedTokens: Sendable {
    package enum Finding: Sendable {
        case good(TokenClaims)
        case bad
    }

    private struct Entry<Value: Sendable>: Sendable {
        var value: Value
        var until: Duration
    }

    private struct State {
        var good: BoundedMemory<SHA256Digest, Entry<TokenClaims>>
        var bad: BoundedMemory<SHA256Digest, Entry<Void>>
    }

    /// A key that was taken away makes its tokens worthless after this.
    private static let goodFor = Duration.seconds(20)
    /// Keys may come that make a bad token good.
    private static let badFor = Duration.seconds(5)

    private let state: Mutex<State>
    private let now: @Sendable () -> Duration

    /// - Parameter now: time that has passed since some moment.
    package init(limit: Int, now: @escaping @Sendable () -> Duration) {
        self.now = now
        state = Mutex(State(good: BoundedMemory(limit: limit), bad: BoundedMemory(limit: limit)))
    }

    /// Nil: it has to be looked at.
    package func finding(on token: String) -> Finding? {
        let (key, now) = (SHA256.hash(data: Data(token.utf8)), now())
        return state.withLock { state in
            if let entry = state.good[key], now < entry.until { return .good(entry.value) }
            if let entry = state.bad[key], now < entry.until { return .bad }
            return nil
        }
    }

    package func keep(_ finding: Finding, on token: String) {
        let (key, now) = (SHA256.hash(data: Data(token.utf8)), now())
        state.withLock { state in
            switch finding {
            case .good(let claims): state.good[key] = Entry(value: claims, until: now + Self.goodFor)
            case .bad: state.bad[key] = Entry(value: (), until: now + Self.badFor)
            }
        }
    }
}
