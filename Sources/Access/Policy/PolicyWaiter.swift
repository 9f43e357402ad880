import Synchronization

/// Somebody who waits for a look at the policy, until it is over, it is their turn to look, or their task is cancelled:
/// whichever comes first.
final class PolicyWaiter: Sendable {
    enum Turn: Sendable {
        /// Nobody refreshes now: do it, for yourself and for those who wait with you.
        case lead
        case over(Result<Void, any Error>)
    }

    private enum State {
        case idle
        case waiting(CheckedContinuation<Turn, Never>)
        /// With what was said before anybody waited.
        case settled(Turn?)
    }

    private let state = Mutex(State.idle)

    /// Waits. Once.
    func turn() async -> Turn {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let early = state.withLock { state -> Turn? in
                    guard case .settled(let turn) = state else {
                        state = .waiting(continuation)
                        return nil
                    }
                    return turn
                }
                if let early { continuation.resume(returning: early) }
            }
        } onCancel: {
            settle(.over(.failure(CancellationError())))
        }
    }

    /// False when something else was settled before.
    @discardableResult
    func settle(_ turn: Turn) -> Bool {
        let (isTaken, continuation) = state.withLock { state -> (Bool, CheckedContinuation<Turn, Never>?) in
            switch state {
            case .idle:
                state = .settled(turn)
                return (true, nil)
            case .waiting(let continuation):
                state = .settled(nil)
                return (true, continuation)
            case .settled: return (false, nil)
            }
        }
        continuation?.resume(returning: turn)
        return isTaken
    }
}
