/// Short asynchronous work that event loops hand over: calls of an API, looks at a store.
///
/// `run()` owns all of it; nothing starts before, and when it is cancelled all work is.
package final class Asides: Sendable {
    package typealias Work = @Sendable () async -> Void

    private let queue: AsyncStream<Work>
    private let continuation: AsyncStream<Work>.Continuation
    private let atOnce: Int

    /// - Parameters:
    ///   - limit: pieces of work that may wait.
    ///   - atOnce: pieces that run together.
    package init(limit: Int, atOnce: Int = 64) {
        (queue, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(limit))
        self.atOnce = atOnce
    }

    /// False when too much waits already: the work will not be done.
    package func add(_ work: @escaping Work) -> Bool {
        if case .enqueued = continuation.yield(work) { true } else { false }
    }

    /// Does the work until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await work in queue {
                if running >= atOnce {
                    await group.next()
                    running -= 1
                }
                group.addTask { await work() }
                running += 1
            }
            group.cancelAll()
        }
    }
}

/// What `work` gives, or nil when it took longer than `limit`; then it is cancelled, and has to mind that.
package func withDeadline<Result: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async -> Result
) async -> Result? {
    await withTaskGroup(of: Result?.self) { group in
        group.addTask { await work() }
        group.addTask {
            try? await Task.sleep(for: limit)
            return nil
        }
        let first = await group.next() ?? nil
        group.cancelAll()
        return first
    }
}
