/// Asks an address that leads through the edge and a link back to this connector: the only sign that a visitor would be
/// served (`--ready-canary`).
///
/// A value; what asks is `run`, for as long as the Supervisor lives.
package struct Canary: Sendable {
    /// What became of one question.
    struct Answer: Sendable, Equatable {
        /// Why it failed; nil when it came back.
        var failure: String?
        /// The same once so many have failed in a row that the connector is not ready.
        var countedFailure: String?
    }

    /// One that got lost means little: the edge may have moved the visitor while a link came or went.
    static let failuresThatCount = 2
    /// An answer that takes longer is none.
    private static let longestWait: Duration = .seconds(10)

    private let interval: Duration
    private let ask: @Sendable () async throws -> Void

    /// - Parameters:
    ///   - interval: between two questions; the first is asked when it is over.
    ///   - ask: returns when the address answered as it should, and throws why not. Ends soon when cancelled.
    package init(interval: Duration = .seconds(30), ask: @escaping @Sendable () async throws -> Void) {
        self.interval = interval
        self.ask = ask
    }

    /// Asks until cancelled.
    ///
    /// - Parameter answered: told of every answer.
    func run(clock: any Clock<Duration>, answered: (Answer) async -> Void) async {
        var failures = 0
        while (try? await clock.sleep(for: interval)) != nil {
            let failure = await failure(clock)
            guard !Task.isCancelled else { return }
            failures = failure == nil ? 0 : failures + 1
            await answered(
                Answer(failure: failure, countedFailure: failures >= Self.failuresThatCount ? failure : nil))
        }
    }

    private func failure(_ clock: any Clock<Duration>) async -> String? {
        let deadline = min(interval, Self.longestWait)
        return await withTaskGroup(of: String?.self) { [ask] attempts in
            attempts.addTask {
                do {
                    try await ask()
                    return nil
                } catch {
                    return "\(error)"
                }
            }
            attempts.addTask {
                try? await clock.sleep(for: deadline)
                return "no answer within \(deadline)"
            }
            let first = await attempts.next() ?? nil
            attempts.cancelAll()
            return first
        }
    }
}
