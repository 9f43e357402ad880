import EdgeStore
import Foundation
import Testing

@Suite struct AuditLogTests {
    static func event(_ number: Int) -> AuditEvent {
        var event = AuditEvent(.admit, outcome: "ok", at: .at(Double(number)))
        event.user = "ann@example.com"
        event.reason = "number \(number) \"ü\"\n"
        event.bytesDown = number
        return event
    }

    /// A log of so many lines, and its file.
    private func withLog(_ lines: Int, _ body: (AuditLog, String) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/audit.log"
            let log = AuditLog(path: path)
            for number in 0..<lines { try await log.write([Self.event(number)]) }
            try await body(log, path)
        }
    }

    private func lines(_ path: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    private func replace(_ path: String, _ lines: [String]) throws {
        try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: path))
    }

    @Test func `what is written is one chain, in a private file`() async throws {
        try await withLog(3) { log, path in
            try await log.write((3..<200).map(Self.event))
            let result = try AuditLog.verify(log: path)
            #expect(result.faults.isEmpty && result.lines == 200 && !result.isContinuation)
            let first = try #require(try lines(path).first)
            let object = try JSONSerialization.jsonObject(with: Data(first.utf8)) as? [String: Any]
            #expect(object?["action"] as? String == "admit" && object?["user"] as? String == "ann@example.com")
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
    }

    @Test func `a line that was changed, removed or moved is found, wherever it stands`() async throws {
        try await withLog(8) { _, path in
            let good = try lines(path)
            for index in good.indices {
                var changed = good
                changed[index] = changed[index].replacingOccurrences(of: "ann@", with: "bob@")
                var removed = good
                removed.remove(at: index)
                for lines in [changed, removed] {
                    try replace(path, lines)
                    #expect(try !AuditLog.verify(log: path).faults.isEmpty, "\(index)")
                }
                for other in good.indices where other != index {
                    var moved = good
                    moved.swapAt(index, other)
                    try replace(path, moved)
                    #expect(try !AuditLog.verify(log: path).faults.isEmpty, "\(index) and \(other)")
                }
            }
            try replace(path, good + [good[7]])
            #expect(try !AuditLog.verify(log: path).faults.isEmpty)
            try replace(path, good + ["{}"])
            #expect(try !AuditLog.verify(log: path).faults.isEmpty)
            try FileManager.default.removeItem(atPath: path)
            #expect(try !AuditLog.verify(log: path).faults.isEmpty)
            try replace(path, good)
            #expect(try AuditLog.verify(log: path).faults.isEmpty)
        }
    }

    @Test func `an end that was cut off is found after more was written, too`() async throws {
        try await withLog(5) { log, path in
            try replace(path, Array(try lines(path).dropLast()))
            try await log.write([Self.event(5)])
            #expect(try AuditLog.verify(log: path).faults.map(\.line) == [5])
        }
    }

    @Test func `a log that was renamed goes on in a new file`() async throws {
        try await withLog(3) { log, path in
            try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
            #expect(try AuditLog.verify([path + ".1"], log: path).faults.isEmpty)
            try await log.write([Self.event(3), Self.event(4)])
            let result = try AuditLog.verify([path + ".1"], log: path)
            #expect(result.faults.isEmpty && result.lines == 5)
            #expect(try AuditLog.verify(log: path).isContinuation)
            try replace(path + ".1", try lines(path + ".1").dropLast())
            #expect(try AuditLog.verify([path + ".1"], log: path).faults.count == 1)
        }
    }

    @Test func `a line that a crash cut off stays by itself and is named`() async throws {
        try await withLog(2) { log, path in
            let file = try #require(FileHandle(forWritingAtPath: path))
            try file.seekToEnd()
            try file.write(contentsOf: Data("{\"cut".utf8))
            try file.close()
            try await log.write([Self.event(2)])
            #expect(try AuditLog.verify(log: path).faults.map(\.line) == [3])
            #expect(try AuditLog.verify(log: path).lines == 4)
        }
    }

    @Test func `several writers make one chain`() async throws {
        try await withLog(0) { _, path in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        let log = AuditLog(path: path)
                        for number in 0..<25 { try await log.write([Self.event(writer * 100 + number)]) }
                    }
                }
                try await group.waitForAll()
            }
            let result = try AuditLog.verify(log: path)
            #expect(result.faults.isEmpty && result.lines == 100)
        }
    }

    @Test func `what was recorded before the end is written, and what was too much is counted`() async throws {
        try await withLog(0) { log, path in
            for number in 0..<17_000 { log.record(Self.event(number)) }
            let running = Task { await log.run() }
            running.cancel()
            await running.value
            let lines = try lines(path)
            #expect(lines.count == 16_385)
            #expect(lines.last?.contains("\"action\":\"lost\"") == true)
            #expect(lines.last?.contains("\(17_000 - 16_384) events") == true)
            #expect(try AuditLog.verify(log: path).faults.isEmpty)
        }
    }

    @Test func `a long value is cut`() async throws {
        try await withLog(0) { log, path in
            var event = AuditEvent(.deny, at: .at(0))
            event.destination = String(repeating: "x", count: 100_000)
            try await log.write([event])
            #expect(try lines(path)[0].utf8.count < 2_000)
        }
    }

    @Test func `a log that cannot be written says so once and stops nobody`() async throws {
        try await withTemporaryDirectory { directory in
            let (failures, failed) = AsyncStream.makeStream(of: StoreError.self)
            let log = AuditLog(path: "\(directory)/none/audit.log") { failed.yield($0) }
            let running = Task { await log.run() }
            log.record(Self.event(0))
            var iterator = failures.makeAsyncIterator()
            #expect(await iterator.next()?.message.contains("audit.log") == true)
            running.cancel()
            await running.value
        }
    }
}
