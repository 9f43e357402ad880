import Edge
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// When a running edge reads its files again.
@Suite(.timeLimit(.minutes(1)))
struct EdgeServiceTests {
    @Test func `what changes between being read and being watched is read again, at the start and at a reload`()
        async throws
    {
        let base = FileManager.default.temporaryDirectory.path + "/edge-service-\(UUID().uuidString)"
        let (first, second) = ("\(base).first", "\(base).second")
        defer { for file in [first, second] { try? FileManager.default.removeItem(atPath: file) } }
        for file in [first, second] { try Data("old".utf8).write(to: URL(fileURLWithPath: file)) }
        try await EdgeHarness.with { edge in
            let configuration = try await edge.configuration()
            let count = Mutex(0)
            let (reads, read) = AsyncStream.makeStream(of: Int.self)
            let source = EdgeSource(files: WatchedFiles([first])) {
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                let files = WatchedFiles([first, second])
                // Named for the first time, and renewed while it is read.
                if number == 1 { try Data("renewed".utf8).write(to: URL(fileURLWithPath: second)) }
                read.yield(number)
                return EdgeSource.Reading(
                    certificates: configuration.certificates, files: files, needsRestart: [])
            }
            try Data("renewed".utf8).write(to: URL(fileURLWithPath: first))
            let server = EdgeServer(
                configuration: configuration, store: edge.store, account: nil,
                group: .singletonMultiThreadedEventLoopGroup, logger: EdgeHarness.quiet)
            let service = EdgeService(server: server, source: source, drain: .seconds(1), logger: EdgeHarness.quiet)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await service.run { _ in } }
                for await number in reads where number == 2 { break }
                await service.stop()
                try await tasks.waitForAll()
            }
        }
    }
}
