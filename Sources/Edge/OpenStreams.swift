import NIOCore
import Synchronization

/// The streams that visitors have open, so that each can be asked again when the policy changes. Lives as long as the edge.
final class OpenStreams: Sendable {
    /// Asks a stream whether its visitor may stay. Called on its event loop.
    typealias Recheck = @Sendable () -> Void

    private struct Entry: Sendable {
        let eventLoop: any EventLoop
        let recheck: Recheck
    }

    private final class Shard: Sendable {
        let entries = Mutex<[ObjectIdentifier: Entry]>([:])
    }

    /// Event loops seldom meet in one.
    private let shards = (0..<16).map { _ in Shard() }
    private let changes = Atomic<UInt64>(0)

    /// Streams asked in one turn of an event loop, so that traffic goes on between.
    private static let perTurn = 128

    /// How often all were asked to look again. To be read before the policy that a visitor is let in by.
    var changeCount: UInt64 { changes.load(ordering: .acquiring) }

    /// Keeps a stream until `remove`. On its event loop.
    ///
    /// - Parameter changeCount: what it was before the visitor was let in. If it has moved, the stream is asked at once.
    func add(_ stream: AnyObject, on eventLoop: any EventLoop, since changeCount: UInt64, recheck: @escaping Recheck) {
        shard(of: eventLoop).entries.withLock {
            $0[ObjectIdentifier(stream)] = Entry(eventLoop: eventLoop, recheck: recheck)
        }
        if self.changeCount != changeCount { eventLoop.execute(recheck) }
    }

    func remove(_ stream: AnyObject, on eventLoop: any EventLoop) {
        shard(of: eventLoop).entries.withLock { $0[ObjectIdentifier(stream)] = nil }
    }

    /// The policy has changed: asks all, each on its loop.
    func recheckAll() {
        changes.add(1, ordering: .acquiringAndReleasing)
        for shard in shards {
            let entries = shard.entries.withLock { Array($0.values) }
            let byLoop = Dictionary(grouping: entries) { ObjectIdentifier($0.eventLoop) }
            for entries in byLoop.values { Self.recheck(entries[...]) }
        }
    }

    private static func recheck(_ entries: ArraySlice<Entry>) {
        guard let first = entries.first else { return }
        first.eventLoop.execute {
            for entry in entries.prefix(perTurn) { entry.recheck() }
            recheck(entries.dropFirst(perTurn))
        }
    }

    private func shard(of eventLoop: any EventLoop) -> Shard {
        shards[abs(ObjectIdentifier(eventLoop).hashValue % shards.count)]
    }
}
