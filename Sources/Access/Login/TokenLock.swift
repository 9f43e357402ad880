import CDispatch
import CoreFoundation
import Foundation
import Glibc

/// Keeps two processes from logging in for the same token at once: a file beside it, in the format of the official client
/// (access-protocol section 2.3), freed when done.
struct TokenLock: Sendable {
    enum Turn<Value: Sendable>: Sendable {
        /// The lock is ours: `release` it on every path.
        case locked(TokenLock)
        /// What the lock is for turned up while somebody else held it.
        case found(Value)
    }

    /// A login takes no longer; whoever holds a lock so long is stuck.
    private static let longestHold: TimeInterval = 600
    private static let pause = Duration.seconds(2)

    private let path: String
    private let content: String

    /// Takes the lock, waiting for whoever holds it.
    ///
    /// - Parameters:
    ///   - found: looks whether there is still something to wait for; asked each round.
    ///   - onWaiting: told once who is waited for.
    /// - Throws: `LoginError` (busy) after ten minutes, (storage) when no lock can be made; `CancellationError`.
    static func take<Value: Sendable>(
        _ path: String, clock: any Clock<Duration>, now: @Sendable () -> Date,
        onWaiting: (_ pid: Int32) -> Void, found: () throws -> Value?
    ) async throws -> Turn<Value> {
        var isTold = false
        for _ in 0..<Int(longestHold / 2) {
            if let value = try found() { return .found(value) }
            if let lock = try make(path) { return .locked(lock) }
            if let holder = holder(of: path, now: now()) {
                if !isTold, holder.pid > 0 { onWaiting(holder.pid) }
                isTold = isTold || holder.pid > 0
                try await clock.sleep(for: pause)
            }
        }
        throw LoginError(
            .busy, "another cloudflared waits for the same login since ten minutes; end it, or remove \(path)")
    }

    /// Frees the lock, unless somebody took it for stale and has it now.
    func release() {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8), text == content else { return }
        unlink(path)
    }

    /// Nil when there is one already.
    private static func make(_ path: String) throws -> TokenLock? {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            guard errno != EEXIST else { return nil }
            throw LoginError(.storage, "cannot make the lock \(path) (\(String(cString: strerror(errno))))")
        }
        let content = "{\"pid\":\(getpid()),\"start_time\":\(startTime(of: getpid()) ?? 0)}\n"
        let bytes = Array(content.utf8)
        let count = Glibc.write(descriptor, bytes, bytes.count)
        close(descriptor)
        guard count == bytes.count else {
            unlink(path)
            throw LoginError(.storage, "cannot write the lock \(path)")
        }
        return TokenLock(path: path, content: content)
    }

    private struct Holder: Decodable {
        var pid: Int32
        /// In milliseconds since 1970.
        var startTime: Int64?

        enum CodingKeys: String, CodingKey {
            case pid
            case startTime = "start_time"
        }
    }

    /// Who holds the lock; nil when it was stale and is gone now, or nearly so: then it is tried at once.
    private static func holder(of path: String, now: Date) -> Holder? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        // Cannot be read now: not ours to judge.
        guard descriptor >= 0 else { return errno == ENOENT ? nil : Holder(pid: 0) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        // Of several that find it stale one removes it, and only while it is still the same file.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return Holder(pid: 0) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return Holder(pid: 0) }
        let data = (try? file.read(upToCount: 4096)) ?? Data()
        let age = now.timeIntervalSince1970 - Double(status.st_mtim.tv_sec)
        if let holder = try? JSONDecoder().decode(Holder.self, from: data), isAlive(holder), age <= longestHold {
            return holder
        }
        // Its maker may be between making and writing it.
        if data.isEmpty, age < 2 { return Holder(pid: 0) }
        var named = stat()
        guard lstat(path, &named) == 0, named.st_ino == status.st_ino, named.st_dev == status.st_dev else { return nil }
        unlink(path)
        return nil
    }

    private static func isAlive(_ holder: Holder) -> Bool {
        guard holder.pid > 0, kill(holder.pid, 0) == 0 || errno == EPERM else { return false }
        guard let noted = holder.startTime, let actual = startTime(of: holder.pid) else { return true }
        return abs(noted - actual) <= 1000
    }

    /// When a process began, in milliseconds since 1970: a number that comes again has another one.
    static func startTime(of pid: Int32) -> Int64? {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = stat.lastIndex(of: ")"),
            let boot = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
            let line = boot.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let seconds = Int64(line.dropFirst(6))
        else { return nil }
        // After the name, which may hold anything, come the fields from the third on.
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        let perSecond = Int64(sysconf(Int32(_SC_CLK_TCK)))
        guard fields.count > 19, let ticks = Int64(fields[19]), perSecond > 0 else { return nil }
        return seconds * 1000 + ticks * 1000 / perSecond
    }
}
