import ServiceHost
import Synchronization

/// Requests that what is known would refuse, and which wait until it was read anew. However many they are, they share one
/// look at a time, so that a flood of them keeps neither the store nor other work busy. Lives as long as the edge.
final class SecondLooks: Sendable {
    typealias Next = @Sendable () -> Void

    private let limit: Int
    private let refresh: @Sendable () async -> Void
    private let waiting = Mutex<[Next]>([])
    private let news: AsyncStream<Void>
    private let newsSource: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - limit: requests that may wait.
    ///   - refresh: reads policy and routes. Given up after `patience`.
    init(limit: Int, refresh: @escaping @Sendable () async -> Void) {
        self.limit = limit
        self.refresh = refresh
        (news, newsSource) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Has `next` called after a look that begins from now on. False when too many wait: it will not be called.
    func add(_ next: @escaping Next) -> Bool {
        let isTaken = waiting.withLock { waiting in
            guard waiting.count < limit else { return false }
            waiting.append(next)
            return true
        }
        if isTaken { newsSource.yield() }
        return isTaken
    }

    /// Looks until cancelled.
    func run() async {
        for await _ in news {
            let served = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            guard !served.isEmpty else { continue }
            _ = await withDeadline(Self.patience, refresh)
            for next in served { next() }
        }
    }

    private static let patience = Duration.seconds(5)
}
