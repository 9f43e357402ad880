import Synchronization

/// Whether a visitor still waits for an answer, so that work for one who left ends at once. Lives as long as the work.
final class VisitorPresence: Sendable {
    private let isOver = Mutex(false)
    private let end: AsyncStream<Never>
    private let endSource: AsyncStream<Never>.Continuation

    init() {
        (end, endSource) = AsyncStream.makeStream(of: Never.self)
    }

    /// The visitor has left, or has its answer.
    func left() {
        isOver.withLock { $0 = true }
        endSource.finish()
    }

    /// What `work` gives, or nil when the visitor leaves first; then it is cancelled, and has to mind that. Once.
    func during<Result: Sendable>(_ work: @escaping @Sendable () async -> Result?) async -> Result? {
        guard !isOver.withLock(\.self) else { return nil }
        return await withTaskGroup(of: Result?.self) { [end] group in
            group.addTask { await work() }
            group.addTask {
                for await _ in end {}
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
