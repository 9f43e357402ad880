import Foundation
import Glibc
import Testing

@testable import ServiceHost

/// A directory with a file under watch.
private struct Watched {
    let directory: String

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("watch-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(atPath: directory) }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    }

    func link(_ name: String, to target: String) throws {
        try #require(symlink(target, path(name)) == 0)
    }

    func rename(_ old: String, to new: String) throws {
        try #require(Glibc.rename(path(old), path(new)) == 0)
    }

    /// Watches while `body` runs; `next` waits for a change, and gives the content that the path then leads to.
    func watch(
        _ name: String, _ body: (_ next: () async throws -> String) async throws -> Void
    ) async throws {
        defer { remove() }
        let path = path(name)
        let watcher = FileWatcher(path: path, quiet: .milliseconds(1))
        let (states, feed) = AsyncStream.makeStream(of: String.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { feed.finish() }
                try? await watcher.run {
                    feed.yield("watching")
                } changed: {
                    feed.yield((try? String(contentsOfFile: path, encoding: .utf8)) ?? "gone")
                }
            }
            func next() async throws -> String {
                for await state in states { return state }
                throw CancellationError()
            }
            #expect(try await next() == "watching")
            try await body(next)
            group.cancelAll()
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct FileWatcherTests {
    @Test func `a file written in place is noticed, again and again`() async throws {
        let files = try Watched()
        try files.write("0", to: "config.yml")
        try await files.watch("config.yml") { next in
            for number in 1...5 {
                let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: files.path("config.yml")))
                try handle.write(contentsOf: Data(String(repeating: "x", count: number).utf8))
                try handle.close()
                #expect(try await next() == String(repeating: "x", count: number))
            }
        }
    }

    @Test func `what changes after the watcher was made and before it runs is noticed`() async throws {
        let files = try Watched()
        defer { files.remove() }
        try files.write("0", to: "config.yml")
        let watcher = FileWatcher(path: files.path("config.yml"), quiet: .milliseconds(1))
        try files.write("1", to: "config.yml")
        let (changes, feed) = AsyncStream.makeStream(of: Void.self)
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watcher.run(changed: { feed.yield() }) }
            for await _ in changes { break }
            group.cancelAll()
            try? await group.waitForAll()
        }
    }

    @Test func `a file replaced by rename is noticed, again and again`() async throws {
        let files = try Watched()
        try files.write("0", to: "config.yml")
        try await files.watch("config.yml") { next in
            for number in 1...5 {
                try files.write("\(number)", to: "config.yml.new")
                try files.rename("config.yml.new", to: "config.yml")
                #expect(try await next() == "\(number)")
            }
        }
    }

    @Test func `a link that is turned to another directory is noticed, again and again`() async throws {
        let files = try Watched()
        for number in 0...3 {
            try FileManager.default.createDirectory(
                atPath: files.path("..\(number)"), withIntermediateDirectories: true)
            try files.write("\(number)", to: "..\(number)/config.yml")
        }
        try files.link("..data", to: "..0")
        try files.link("config.yml", to: "..data/config.yml")
        try await files.watch("config.yml") { next in
            for number in 1...3 {
                try files.link("..next", to: "..\(number)")
                try files.rename("..next", to: "..data")
                #expect(try await next() == "\(number)")
            }
            // The way now ends in another directory than at the start.
            try files.write("3b", to: "..3/new")
            try files.rename("..3/new", to: "..3/config.yml")
            #expect(try await next() == "3b")
        }
    }

    @Test func `a file that goes and comes back is noticed, its directory with it`() async throws {
        let files = try Watched()
        try FileManager.default.createDirectory(atPath: files.path("etc"), withIntermediateDirectories: true)
        try files.write("0", to: "etc/config.yml")
        try await files.watch("etc/config.yml") { next in
            unlink(files.path("etc/config.yml"))
            #expect(try await next() == "gone")
            rmdir(files.path("etc"))
            try FileManager.default.createDirectory(
                atPath: files.path("coming"), withIntermediateDirectories: true)
            try files.write("1", to: "coming/config.yml")
            try files.rename("coming", to: "etc")
            #expect(try await next() == "1")
        }
    }

    @Test func `what happens to other files is nobody's business`() async throws {
        let files = try Watched()
        try files.write("0", to: "config.yml")
        try await files.watch("config.yml") { next in
            for number in 1...20 { try files.write("\(number)", to: "other-\(number)") }
            try files.write("new", to: "coming")
            try files.rename("coming", to: "config.yml")
            #expect(try await next() == "new")
        }
    }

    @Test func `a change before the watch began is noticed`() async throws {
        let files = try Watched()
        defer { files.remove() }
        try files.write("0", to: "config.yml")
        let watcher = FileWatcher(path: files.path("config.yml"), quiet: .milliseconds(1))
        try files.write("longer", to: "config.yml")
        await withTaskGroup { group in
            let (changes, feed) = AsyncStream.makeStream(of: Void.self)
            group.addTask { try? await watcher.run { feed.yield() } }
            for await _ in changes { break }
            group.cancelAll()
        }
    }

    @Test func `the trail leads over every link, and ends where the way is broken`() throws {
        let files = try Watched()
        defer { files.remove() }
        let here = try #require(realpath(files.directory, nil))
        defer { free(here) }
        let root = String(cString: here)
        try FileManager.default.createDirectory(atPath: root + "/a/b", withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: root + "/a/b/file"))
        try files.link("way", to: "a/../a/b")
        try files.link("loop", to: "loop")
        #expect(FileTrail.directories(leadingTo: root + "/a/b/file") == [root + "/a/b"])
        #expect(FileTrail.directories(leadingTo: root + "/way/file") == [root, root + "/a/b"])
        #expect(FileTrail.directories(leadingTo: root + "/a/none/deep/file") == [root + "/a"])
        #expect(FileTrail.directories(leadingTo: root + "/loop/file") == [root])
        #expect(FileTrail.directories(leadingTo: "/") == [])
    }
}
