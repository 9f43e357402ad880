import Synchronization

/// Lets one acquisition of each token run at a time in this process; who comes meanwhile shares its outcome. So one login
/// serves however many connections wait for it.
///
/// Lives as long as the login it belongs to. When the one who acquires is cancelled, the next takes over.
final class TokenGate: Sendable {
    private enum Turn {
        /// Nobody acquires now: do it, for yourself and for those who wait with you.
        case lead
        case over(Result<AccessToken, any Error>)
    }

    private struct Waiter {
        var id: Int
        var continuation: CheckedContinuation<Turn, Never>
    }

    private struct State {
        /// By token; one that is acquired has an entry.
        var waiters: [String: [Waiter]] = [:]
        var nextID = 0
    }

    private let state = Mutex(State())

    /// How many wait for a token that somebody else acquires.
    func waiting(for name: String) -> Int { state.withLock { $0.waiters[name]?.count ?? 0 } }

    /// - Parameter name: of the token's file.
    func share(_ name: String, _ acquire: () async throws -> AccessToken) async throws -> AccessToken {
        switch await turn(name) {
        case .over(let result):
            return try result.get()
        case .lead:
            let result: Result<AccessToken, any Error>
            do {
                result = .success(try await acquire())
            } catch {
                result = .failure(error)
            }
            handOver(name, result)
            return try result.get()
        }
    }

    private func turn(_ name: String) async -> Turn {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let turn = state.withLock { state -> Turn? in
                    guard state.waiters[name] != nil else {
                        state.waiters[name] = []
                        return .lead
                    }
                    // Asked under the lock: a cancellation after this finds the waiter in the list.
                    if Task.isCancelled { return .over(.failure(CancellationError())) }
                    state.waiters[name]?.append(Waiter(id: id, continuation: continuation))
                    return nil
                }
                if let turn { continuation.resume(returning: turn) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiters[name]?.firstIndex(where: { $0.id == id }) else { return nil }
                return state.waiters[name]?.remove(at: index)
            }
            waiter?.continuation.resume(returning: .over(.failure(CancellationError())))
        }
    }

    private func handOver(_ name: String, _ result: Result<AccessToken, any Error>) {
        let (next, finished) = state.withLock { state -> (Waiter?, [Waiter]) in
            var waiters = state.waiters[name] ?? []
            if case .failure(let error) = result, error is CancellationError, !waiters.isEmpty {
                // Only the leader was cancelled; the others still want their token.
                let next = waiters.removeFirst()
                state.waiters[name] = waiters
                return (next, [])
            }
            state.waiters[name] = nil
            return (nil, waiters)
        }
        next?.continuation.resume(returning: .lead)
        for waiter in finished { waiter.continuation.resume(returning: .over(result)) }
    }
}
