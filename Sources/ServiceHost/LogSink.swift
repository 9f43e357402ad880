import Foundation
import Glibc
import Synchronization

/// Where log lines go: one file descriptor, written by one thread at a time.
///
/// There is no queue. A line that the other side does not take within ``patience`` is dropped and counted, so that a
/// stuck terminal or pipe never stops the streams; while it stays stuck, further lines are dropped without waiting.
package final class LogSink: Sendable {
    /// Milliseconds that one line may wait for its reader.
    static let patience: Int32 = 100
    /// Longer lines are cut: one event is not worth more.
    static let maximumLineLength = 64 * 1024

    private struct State {
        var isStuck = false
        var droppedCount = 0

        mutating func drop() {
            droppedCount += 1
            DroppedLines.count.increment()
        }
    }

    let descriptor: Int32
    private let isOwned: Bool
    private let state = Mutex(State())

    /// - Parameter isOwned: whether the descriptor is closed with the sink.
    package init(descriptor: Int32, isOwned: Bool = false) {
        self.descriptor = descriptor
        self.isOwned = isOwned
    }

    deinit {
        if isOwned { close(descriptor) }
    }

    package static let standardError = LogSink(descriptor: STDERR_FILENO)

    /// Lines that nobody took.
    package var droppedCount: Int { state.withLock { $0.droppedCount } }

    package func write(_ line: String) {
        var bytes = Array(line.utf8.prefix(Self.maximumLineLength))
        if bytes.last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
        state.withLock { state in
            var rest = bytes[...]
            while !rest.isEmpty {
                guard isWritable(patience: state.isStuck ? 0 : Self.patience) else {
                    state.isStuck = true
                    state.drop()
                    return
                }
                state.isStuck = false
                // Never more than a pipe takes at once: a write after poll then does not block.
                let chunk = rest.prefix(4096)
                let count = chunk.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
                guard count > 0 else {
                    state.drop()
                    return
                }
                rest = rest.dropFirst(count)
            }
        }
    }

    private func isWritable(patience: Int32) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let count = Glibc.poll(&poll, 1, patience)
        return count > 0 && Int32(poll.revents) & POLLOUT != 0
    }
}

extension LogSink {
    /// Opens a log file to append to; missing parent directories are made.
    ///
    /// A path that is an existing directory means `cloudflared.log` in it, as the 2020 client understood `--logfile`.
    ///
    /// - Throws: ``HostError`` naming the file.
    package static func file(path: String) throws -> LogSink {
        var path = path
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) {
            if isDirectory.boolValue { path += (path.hasSuffix("/") ? "" : "/") + "cloudflared.log" }
        } else if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            // What goes wrong here shows when the file is opened.
            try? FileManager.default.createDirectory(
                atPath: String(path[..<slash]), withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750])
        }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else {
            throw HostError(.file, "cannot open the log file \(path): \(systemErrorText(errno))")
        }
        return LogSink(descriptor: descriptor, isOwned: true)
    }
}
