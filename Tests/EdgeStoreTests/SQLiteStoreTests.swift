import EdgeStore
import Foundation
import Testing

/// What only a file can go through: several openers, damage, a second life.
@Suite struct SQLiteStoreTests {
    @Test func `what one opener writes, another sees with its version`() async throws {
        try await withTemporaryDirectory { path in
            let edge = try SQLiteStore(path: "\(path)/edge.sqlite")
            try await edge.create(.sample)
            let before = try await edge.version()
            let administration = try SQLiteStore(path: "\(path)/edge.sqlite")
            let tunnel = TunnelRecord.sample("one")
            try await administration.createTunnel(tunnel)
            try administration.close()
            #expect(try await edge.version() > before)
            #expect(try await edge.routing().tunnels == [tunnel.id: tunnel])
            try edge.close()
        }
    }

    @Test func `openers that write at once lose nothing`() async throws {
        try await withTemporaryDirectory { path in
            let file = "\(path)/edge.sqlite"
            let first = try SQLiteStore(path: file)
            try await first.create(.sample)
            let before = try await first.version()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        let store = try SQLiteStore(path: file)
                        for number in 0..<25 { try await store.createTunnel(.sample("t\(writer)-\(number)")) }
                        try store.close()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await first.routing().tunnels.count == 100)
            #expect(try await first.version() == before + 100)
            try first.close()
        }
    }

    @Test func `another process may write while we read`() async throws {
        try await withTemporaryDirectory { path in
            let store = try SQLiteStore(path: "\(path)/edge.sqlite")
            try await store.create(.sample)
            let before = try await store.version()
            let other = Process()
            other.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            other.arguments = [
                "python3", "-c",
                "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('UPDATE revision SET value=value+7'); c.commit()",
                "\(path)/edge.sqlite",
            ]
            try other.run()
            other.waitUntilExit()
            #expect(other.terminationStatus == 0)
            #expect(try await store.version() == before + 7)
            try store.close()
        }
    }

    @Test func `everything is there after closing and opening`() async throws {
        try await withTemporaryDirectory { path in
            let file = "\(path)/edge.sqlite"
            let tunnel = TunnelRecord.sample("one")
            let first = try SQLiteStore(path: file)
            try await first.create(.sample)
            try await first.createTunnel(tunnel)
            let version = try await first.version()
            try first.close()
            let second = try SQLiteStore(path: file)
            #expect(try await second.account() == .sample)
            #expect(try await second.tunnel(tunnel.id) == tunnel)
            #expect(try await second.version() == version)
            #expect(await storeErrorCode { try await second.create(.sample) } == .directoryUsed)
            try second.close()
        }
    }

    @Test func `a file that is no database says so`() async throws {
        try await withTemporaryDirectory { path in
            let file = "\(path)/edge.sqlite"
            try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: file))
            let error = #expect(throws: StoreError.self) { _ = try SQLiteStore(path: file) }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains(file) == true)
            #expect(error?.message.contains("damaged") == true)
        }
    }
}
