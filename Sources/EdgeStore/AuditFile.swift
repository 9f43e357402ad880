import Foundation

/// The file of an audit log and, beside it, `FILE.head`: how long the log was after the last line that was written, and
/// that line's hash. So a tail that was cut off or exchanged is found although no line follows it. Who can write both
/// files can of course forge both: a hash kept elsewhere is what tells then.
///
/// Several processes may append: the head is also the lock. The log may be renamed away at any time (rotation); the next
/// append begins a new file, whose first line goes on where the former one ended.
struct AuditFile {
    let path: String

    var headPath: String { path + ".head" }

    struct Head: Equatable {
        var size: Int
        var hash: String

        init(size: Int, hash: String) {
            self.size = size
            self.hash = hash
        }

        /// Nil for what is no head, such as an empty file.
        init?(_ text: String) {
            let words = text.split(whereSeparator: \.isWhitespace)
            guard words.count == 2, let size = Int(words[0]), size >= 0, words[1].utf8.count == 64 else { return nil }
            self.init(size: size, hash: String(words[1]))
        }

        var text: String { "\(size) \(hash)\n" }
    }

    /// Far above a line's bound.
    static let longestLine = 256 << 10

    /// Writes the events as lines. All or none.
    func append(_ events: [AuditEvent]) async throws {
        let lock = try Self.open(headPath, O_RDWR)
        defer { close(lock) }
        try await hold(lock)
        let former = try Self.head(lock)
        let log = try Self.open(path, O_RDWR | O_APPEND)
        defer { close(log) }
        var size = try Self.size(log, path)
        var previous = try Self.lastHash(log, size, former)
        var text = Data()
        // A line that an earlier crash cut off stays by itself.
        if size > 0, try Self.read(log, 1, at: size - 1) != Data([newline]) { text.append(newline) }
        for event in events {
            let line = try AuditLine(previous: previous, event: event.bounded).text()
            previous = AuditLine.hash(line)
            text += line + [newline]
        }
        do {
            try Self.write(log, text, path)
        } catch {
            ftruncate(log, off_t(size))
            throw error
        }
        size += text.count
        try Self.replace(lock, Head(size: size, hash: previous).text, headPath)
    }

    func head() throws -> Head? {
        guard FileManager.default.fileExists(atPath: headPath) else { return nil }
        return Head(try String(contentsOfFile: headPath, encoding: .utf8))
    }

    // MARK: The chain

    /// What the next line follows. A log longer than its head says was left by a crash between two writes: it is believed.
    /// A shorter one was renamed away or cut off: the next line follows what was there, and by that shows which.
    private static func lastHash(_ log: Int32, _ size: Int, _ head: Head?) throws -> String {
        if let head, size <= head.size { return head.hash }
        let tail = try read(log, min(size, longestLine), at: max(0, size - longestLine))
        return tail.split(separator: newline).last.map { AuditLine.hash(Data($0)) } ?? AuditLine.none
    }

    private static func head(_ descriptor: Int32) throws -> Head? {
        Head(String(decoding: try read(descriptor, 256, at: 0), as: UTF8.self))
    }

    // MARK: System calls

    /// Waits for other writers, who need microseconds; not for ever, since one may have been stopped.
    private func hold(_ descriptor: Int32) async throws {
        for _ in 0..<200 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            guard errno == EWOULDBLOCK || errno == EINTR else { throw PrivateFile.failure("cannot lock \(headPath)") }
            // What was recorded is written although the program is being stopped.
            if Task.isCancelled { usleep(1_000) } else { try? await Task.sleep(for: .milliseconds(5)) }
        }
        throw StoreError(.unavailable, "\(headPath) is locked by another process for a second; see which one holds it")
    }

    private static func open(_ path: String, _ flags: Int32) throws -> Int32 {
        let descriptor = Foundation.open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw PrivateFile.failure("cannot open \(path)") }
        return descriptor
    }

    private static func size(_ descriptor: Int32, _ path: String) throws -> Int {
        let end = lseek(descriptor, 0, SEEK_END)
        guard end >= 0 else { throw PrivateFile.failure("cannot look at \(path)") }
        return Int(end)
    }

    private static func read(_ descriptor: Int32, _ count: Int, at offset: Int) throws -> Data {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, count, off_t(offset)) }
        guard got >= 0 else { throw PrivateFile.failure("cannot read the audit log") }
        return Data(bytes.prefix(got))
    }

    private static func write(_ descriptor: Int32, _ text: Data, _ path: String) throws {
        var rest = Array(text)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw PrivateFile.failure("cannot write \(path)") }
            rest = rest.dropFirst(written)
        }
    }

    private static func replace(_ descriptor: Int32, _ text: String, _ path: String) throws {
        let bytes = Array(text.utf8)
        let written = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        guard written == bytes.count, ftruncate(descriptor, off_t(bytes.count)) == 0 else {
            throw PrivateFile.failure("cannot write \(path)")
        }
    }
}

let newline = UInt8(ascii: "\n")
