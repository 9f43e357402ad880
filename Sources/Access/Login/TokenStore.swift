import CDispatch
import CoreFoundation
package import Foundation
import Glibc

/// The files in `~/.cloudflared` that logins leave behind, in names and content those of the official client
/// (access-protocol section 2.1), so that either finds the other's tokens.
package struct TokenStore: Sendable {
    /// No token, key set or certificate comes near this many bytes.
    private static let longest = 1 << 20

    package let directory: String

    package init(directory: String) {
        self.directory = directory
    }

    /// `~/.cloudflared` of the user.
    package init(environment: [String: String]) {
        var home = environment["HOME"] ?? ""
        if home.isEmpty, let entry = getpwuid(getuid()), let path = entry.pointee.pw_dir {
            home = String(cString: path)
        }
        directory = home.hasPrefix("/") ? home + "/.cloudflared" : ""
    }

    package func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Makes the directory if need be, and looks whether what lies in it is the user's alone to change.
    ///
    /// - Throws: `LoginError` (storage).
    package func prepare() throws {
        guard !directory.isEmpty else {
            throw LoginError(.storage, "there is no place for tokens: set HOME to a directory of yours")
        }
        if mkdir(directory, 0o700) != 0, errno != EEXIST {
            throw failure("cannot make the directory \(directory)")
        }
        var status = stat()
        guard stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw LoginError(.storage, "\(directory) is no directory; move it away")
        }
        guard status.st_uid == geteuid() || status.st_uid == 0, status.st_mode & 0o022 == 0 else {
            throw LoginError(
                .storage, "other users can put tokens into \(directory); run: chmod 700 \(directory)")
        }
    }

    /// The text of a file; nil when there is none, or none that a login wrote: a link, a directory, too long.
    ///
    /// - Parameter isSecret: nobody else may be able to read it either.
    /// - Throws: `LoginError` (storage) when it is not the user's alone: others may have put it there.
    package func read(_ name: String, isSecret: Bool = false) throws -> String? {
        let descriptor = open(path(name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= Self.longest
        else { return nil }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw LoginError(
                .storage, "\(path(name)) belongs to another user: it may be planted; remove it, and log in again")
        }
        guard status.st_mode & (isSecret ? 0o077 : 0o022) == 0 else {
            throw LoginError(
                .storage,
                "other users can \(status.st_mode & 0o022 == 0 ? "read" : "change") \(path(name)); run: chmod 600 "
                    + "\(path(name)), or remove it and log in again")
        }
        guard let data = try? file.readToEnd() else { return nil }
        return String(validating: data, as: UTF8.self)
    }

    /// When a file was written last.
    package func modified(_ name: String) -> Date? {
        var status = stat()
        guard lstat(path(name), &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Date(timeIntervalSince1970: Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9)
    }

    /// Puts a whole file in place, or leaves the old one as it was; only the user can read it.
    ///
    /// - Throws: `LoginError` (storage).
    package func write(_ text: String, to name: String) throws {
        try prepare()
        let part = path(".\(UUID().uuidString.lowercased()).tmp")
        let descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("cannot write in \(directory)") }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try file.write(contentsOf: Data(text.utf8))
            try file.synchronize()
            try file.close()
        } catch {
            unlink(part)
            throw LoginError(.storage, "cannot write in \(directory)", cause: error)
        }
        guard rename(part, path(name)) == 0 else {
            let failure = failure("cannot write \(path(name))")
            unlink(part)
            throw failure
        }
    }

    package func remove(_ name: String) {
        unlink(path(name))
    }

    private func failure(_ message: String) -> LoginError {
        LoginError(.storage, "\(message) (\(String(cString: strerror(errno))))")
    }
}
