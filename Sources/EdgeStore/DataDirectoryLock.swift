import Glibc

/// Held by the one edge that runs on a data directory; let go when this is, or when the process ends, however it ends.
///
/// Administration commands do not need it: they and the running edge meet in the database.
package final class DataDirectoryLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `StoreError` when another edge runs on the directory.
    package init(_ directory: DataDirectory) throws {
        let path = directory.path + "/edge.lock"
        descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(.configuration, "\(path) cannot be written; the edge must own its data directory")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw StoreError(.unavailable, "an edge runs on \(directory.path) already; stop it first")
        }
    }

    deinit {
        close(descriptor)
    }
}
