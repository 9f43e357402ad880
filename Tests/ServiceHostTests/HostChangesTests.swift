import Glibc
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import ServiceHost

@Suite(.timeLimit(.minutes(1))) struct HostChangesTests {
    private static let group = MultiThreadedEventLoopGroup.singleton

    @Test func `a kernel that tells nothing costs the watch, not the program`() async {
        struct Denied: Error {}
        let look = Mutex(0)
        let changes = HostChanges(
            group: Self.group, clock: ContinuousClock(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            clocks: {
                look.withLock { $0 += 1 }
                return ClockReading(monotonic: .zero, boot: .zero, wall: .zero)
            }, open: { _ in throw Denied() })
        await withTaskGroup { tasks in
            tasks.addTask { await changes.run { _ in } }
            tasks.cancelAll()
        }
        #expect(look.withLock { $0 } == 1)
    }

    @Test func `the kernel's socket opens, and run ends when cancelled`() async throws {
        let socket = try await NetlinkSocket.open(on: Self.group.next())
        await withTaskGroup { tasks in
            tasks.addTask { for await _ in socket.changes {} }
            tasks.cancelAll()
        }
        socket.close()
        let changes = HostChanges(group: Self.group, clock: ContinuousClock(), logger: Logger(label: "test"))
        await withTaskGroup { tasks in
            tasks.addTask { await changes.run { _ in } }
            tasks.cancelAll()
        }
    }
}
