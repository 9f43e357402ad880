import Dispatch
import Glibc
import Synchronization

/// Says that something happened in one of a set of directories: inotify, without the details.
///
/// Lives as long as its owner looks at files; closes its descriptor when it goes.
final class DirectoryEvents: Sendable {
    /// One element for any number of changes since the last. For one reader.
    let happened: AsyncStream<Void>

    private static let mask = UInt32(
        IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
    )

    private let descriptor: Int32
    private let continuation: AsyncStream<Void>.Continuation
    private let seen: EventCount
    private let watches = Mutex<Set<Int32>>([])
    // Safety: made in init and only cancelled in deinit; DispatchSource itself is thread-safe.
    private nonisolated(unsafe) let source: any DispatchSourceRead

    private final class EventCount: Sendable {
        let value = Atomic<Int>(0)
    }

    /// - Throws: ``HostError`` when the host allows no more watches.
    init() throws {
        let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { throw HostError(.file, "cannot watch files: \(systemErrorText(errno))") }
        self.descriptor = descriptor
        let (happened, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let seen = EventCount()
        self.happened = happened
        self.continuation = continuation
        self.seen = seen
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
        source.setEventHandler {
            // What they say does not matter, the files are looked at anyway; an overflow is an event like any other.
            withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 8) { buffer in
                while read(descriptor, buffer.baseAddress, buffer.count) > 0 {}
            }
            seen.value.add(1, ordering: .relaxed)
            continuation.yield()
        }
        source.setCancelHandler { close(descriptor) }
        source.resume()
    }

    deinit {
        source.cancel()
        continuation.finish()
    }

    /// How often something happened: equal numbers mean that it was quiet between.
    var count: Int { seen.value.load(ordering: .relaxed) }

    /// Watches these directories and no others. A path that meanwhile is another directory is watched anew.
    ///
    /// - Returns: whether all of them could be watched.
    func watch(_ directories: Set<String>) -> Bool {
        let added = directories.map { inotify_add_watch(descriptor, $0, Self.mask) }
        let wanted = Set(added.filter { $0 >= 0 })
        let abandoned = watches.withLock { watches in
            defer { watches = wanted }
            return watches.subtracting(wanted)
        }
        for watch in abandoned { inotify_rm_watch(descriptor, watch) }
        return wanted.count == Set(added).count && !added.contains { $0 < 0 }
    }
}
