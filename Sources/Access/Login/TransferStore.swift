import NIOHTTP1

/// Where the browser's side of a login leaves what this side waits for, under a key that only this side knows (access-protocol
/// section 2.10).
struct TransferStore: Sendable {
    /// The server lets go sooner.
    private static let timeout = Duration.seconds(60)
    private static let patience = Duration.seconds(600)
    /// Between two questions when the server does not hold them.
    private static let pause = Duration.seconds(2)
    private static let mostFailures = 3
    private static let longestAnswer = 64 << 10

    /// Ends with a slash.
    let base: WebURL
    let transport: any LoginTransport
    let userAgent: String
    let clock: any Clock<Duration>

    /// Asks until there is something, or ten minutes are over.
    ///
    /// - Parameter onEmpty: called after each answer that is not yet it.
    /// - Throws: `LoginError` (transfer), an error of the transport, `CancellationError`.
    func fetch(_ path: String, onEmpty: () -> Void) async throws -> WebAnswer {
        let elapsed = Self.stopwatch(clock)
        var url = base
        url.path += path
        var failures = 0
        while elapsed() < Self.patience {
            let before = elapsed()
            do {
                let answer = try await transport.send(
                    WebRequest(
                        .GET, url, headers: ["User-Agent": userAgent], timeout: Self.timeout,
                        longestBody: Self.longestAnswer))
                failures = 0
                switch answer.status {
                case 200 where !answer.body.isEmpty: return answer
                case 500...:
                    throw LoginError(
                        .transfer,
                        "failed to run transfer service: \(base) answered \(answer.status); see the edge's log")
                default: onEmpty()
                }
            } catch let error as LoginError {
                throw error
            } catch {
                if Task.isCancelled { throw CancellationError() }
                failures += 1
                guard failures < Self.mostFailures else {
                    throw LoginError(.transfer, "failed to run transfer service at \(base)", cause: error)
                }
            }
            if elapsed() - before < Self.pause { try await clock.sleep(for: Self.pause) }
        }
        throw LoginError(
            .transfer, "nobody finished the login in the browser within ten minutes; start it again")
    }

    private static func stopwatch<C: Clock<Duration>>(_ clock: C) -> @Sendable () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }
}
