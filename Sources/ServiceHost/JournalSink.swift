import CDispatch
import Glibc
import Logging
import Synchronization

/// The journal's own socket: log events as fields, which `journalctl -u cloudflared CONNINDEX=0` can ask for.
///
/// Lives as long as its logger. As with ``LogSink`` there is no queue: an event that the journal does not take within
/// `LogSink.patience` is dropped and counted. (`sd_journal_send` would wait for it without a limit.)
package final class JournalSink: Sendable {
    package static let standardPath = "/run/systemd/journal/socket"

    private struct State {
        var isStuck = false
        var droppedCount = 0

        mutating func drop() {
            droppedCount += 1
            DroppedLines.count.increment()
        }
    }

    private let descriptor: Int32
    private let address: UnixAddress
    private let identifier: String
    private let state = Mutex(State())

    /// - Parameter identifier: what `journalctl -t` asks for.
    /// - Returns: nil when there is no journal.
    init?(path: String = JournalSink.standardPath, identifier: String) {
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        guard let address = UnixAddress(path) else { return nil }
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return nil }
        guard address.connect(descriptor) else {
            close(descriptor)
            return nil
        }
        self.address = address
        self.descriptor = descriptor
        self.identifier = identifier
    }

    deinit { close(descriptor) }

    /// Events that the journal did not take.
    package var droppedCount: Int { state.withLock { $0.droppedCount } }

    func write(level: Logger.Level, message: String, fields: Logger.Metadata) {
        let entry = JournalEntry(level: level, message: message, fields: fields, identifier: identifier).bytes
        state.withLock { state in
            var mayReconnect = true
            while true {
                if send(descriptor, entry, entry.count, Int32(MSG_NOSIGNAL)) >= 0 {
                    state.isStuck = false
                    return
                }
                switch errno {
                case EINTR:
                    continue
                case EAGAIN:
                    guard !state.isStuck, isWritable() else {
                        state.isStuck = true
                        state.drop()
                        return
                    }
                    // Whoever was quicker may have taken the room again; there is one more try.
                    state.isStuck = true
                case ECONNREFUSED, ENOTCONN, EPIPE:
                    // The journal was restarted with a new socket.
                    guard mayReconnect, address.connect(descriptor) else {
                        state.drop()
                        return
                    }
                    mayReconnect = false
                default:
                    state.drop()
                    return
                }
            }
        }
    }

    private func isWritable() -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return Glibc.poll(&poll, 1, LogSink.patience) > 0
    }

    /// Whether a descriptor leads to the journal, as `JOURNAL_STREAM` says: device and inode, in decimal.
    static func isJournal(_ descriptor: Int32, environment: [String: String]) -> Bool {
        var attributes = stat()
        guard let stream = environment["JOURNAL_STREAM"], fstat(descriptor, &attributes) == 0 else { return false }
        return stream == "\(attributes.st_dev):\(attributes.st_ino)"
    }
}
