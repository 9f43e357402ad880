import Foundation
import Glibc

/// Changes to files that all stay, or are all taken back. A file is there in its old or its new form at every moment,
/// also for whoever looks after a crash.
struct FileTransaction {
    private enum Undo {
        case removeDirectory(String)
        case removeFile(String)
        /// Puts the former file back from where it waits.
        case restore(String, from: String)
    }

    private var undos: [Undo] = []

    /// Makes a directory, and those above it that are missing.
    mutating func makeDirectory(_ path: String, mode: mode_t = 0o755) throws(CommandError) {
        var information = stat()
        if stat(path, &information) == 0 {
            guard information.st_mode & S_IFMT == S_IFDIR else {
                throw CommandError(.failure, "\(path) is not a directory")
            }
            return
        }
        let parent = (path as NSString).deletingLastPathComponent
        if parent != path, !parent.isEmpty { try makeDirectory(parent) }
        guard mkdir(path, mode) == 0, chmod(path, mode) == 0 else { throw failure("make the directory", path) }
        undos.append(.removeDirectory(path))
    }

    /// Writes a file with this mode, in the place of what is there.
    mutating func write(_ text: String, to path: String, mode: mode_t) throws(CommandError) {
        let temporary = Self.sibling(of: path, "new")
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure("write", path) }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        do {
            // Whatever the mask of the caller is.
            guard fchmod(descriptor, mode) == 0 else { throw failure("set the mode of", path) }
            try handle.write(contentsOf: Data(text.utf8))
            guard fsync(descriptor) == 0 else { throw failure("write", path) }
            close(descriptor)
        } catch {
            close(descriptor)
            unlink(temporary)
            throw CommandError(.failure, "cannot write \(path)", cause: error)
        }
        do {
            try keep(path)
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let error = failure("write", path)
            unlink(temporary)
            throw error
        }
        Self.synchronize(path)
    }

    /// Removes a file, if it is there.
    mutating func remove(_ path: String) throws(CommandError) {
        guard Self.exists(path) else { return }
        let kept = Self.sibling(of: path, "old")
        guard rename(path, kept) == 0 else { throw failure("remove", path) }
        undos.append(.restore(path, from: kept))
        Self.synchronize(path)
    }

    /// Moves a file aside for good, under a name that is free.
    ///
    /// - Returns: that name.
    mutating func setAside(_ path: String) throws(CommandError) -> String {
        for number in 0..<1000 {
            let kept = number == 0 ? "\(path).before" : "\(path).before.\(number)"
            guard link(path, kept) == 0 else {
                if errno == EEXIST { continue }
                throw failure("keep a copy of", path)
            }
            undos.append(.removeFile(kept))
            try remove(path)
            return kept
        }
        throw CommandError(
            .failure, "cannot keep a copy of \(path): there are too many; remove some of \(path).before*")
    }

    /// All is well: what waited to be put back goes.
    mutating func commit() {
        for case .restore(_, from: let kept) in undos { unlink(kept) }
        undos = []
    }

    /// Everything as before, as far as the file system lets it.
    ///
    /// - Returns: what could not be taken back.
    mutating func rollBack() -> [String] {
        var stuck: [String] = []
        for undo in undos.reversed() {
            switch undo {
            case .removeDirectory(let path): if rmdir(path) != 0 { stuck.append(path) }
            case .removeFile(let path): if unlink(path) != 0, errno != ENOENT { stuck.append(path) }
            case .restore(let path, let kept):
                guard rename(kept, path) == 0 else {
                    stuck.append(path)
                    continue
                }
                // Two names of one file stay two: the second must not outlive us, it may hold a token.
                unlink(kept)
            }
        }
        undos = []
        return stuck
    }

    /// Before a file is replaced: a second name for it, or the note that there was none.
    private mutating func keep(_ path: String) throws(CommandError) {
        guard Self.exists(path) else {
            undos.append(.removeFile(path))
            return
        }
        let kept = Self.sibling(of: path, "old")
        guard link(path, kept) == 0 else { throw failure("keep a copy of", path) }
        undos.append(.restore(path, from: kept))
    }

    private static func exists(_ path: String) -> Bool {
        var information = stat()
        return lstat(path, &information) == 0
    }

    private static func sibling(of path: String, _ kind: String) -> String {
        let name = (path as NSString).lastPathComponent
        return "\((path as NSString).deletingLastPathComponent)/.\(name).\(kind)-\(UUID().uuidString.prefix(8))"
    }

    /// A name that changed is on disk when its directory is.
    private static func synchronize(_ path: String) {
        let descriptor = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private func failure(_ what: String, _ path: String) -> CommandError {
        CommandError(.failure, "cannot \(what) \(path): \(String(cString: strerror(errno)))")
    }
}
