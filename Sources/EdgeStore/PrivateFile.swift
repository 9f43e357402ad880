import CDispatch
import CoreFoundation
import Foundation

/// Files and directories that are made once and never replaced.
enum PrivateFile {
    /// Writes a new file; fails when something of that name is there already, be it a dangling link.
    static func create(_ path: String, _ contents: String, mode: mode_t = 0o600) throws {
        let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw failure("cannot create \(path)") }
        defer { close(descriptor) }
        // The process's umask may have taken bits away.
        guard fchmod(descriptor, mode) == 0 else { throw failure("cannot set the mode of \(path)") }
        var rest = Array(contents.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw failure("cannot write \(path)") }
            rest = rest.dropFirst(written)
        }
        guard fsync(descriptor) == 0 else { throw failure("cannot write \(path)") }
    }

    /// Takes a file away from everybody but its owner; one that is not there is left alone.
    ///
    /// By its path: to open and close a file that SQLite has open in this process would take SQLite's locks away.
    static func restrict(_ path: String) throws {
        guard chmod(path, 0o600) == 0 || errno == ENOENT else { throw failure("cannot set the mode of \(path)") }
    }

    static func failure(_ what: String) -> StoreError {
        StoreError(errno == EEXIST ? .directoryUsed : .unavailable, "\(what): \(String(cString: strerror(errno)))")
    }
}
