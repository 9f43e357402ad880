import Glibc

/// The file named by `--pidfile`: decimal process number without newline, written after the first registered
/// connection, never removed, as scripts around the official client expect.
package struct PIDFile: Sendable {
    package var path: String

    package init(path: String) { self.path = path }

    /// - Throws: ``HostError`` naming the file.
    package func write() throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw HostError(.file, "cannot write the pid file \(path): \(systemErrorText(errno))")
        }
        defer { close(descriptor) }
        var text = String(getpid())
        let count = text.utf8.count
        let written = text.withUTF8 { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard written == count else {
            throw HostError(.file, "cannot write the pid file \(path): \(systemErrorText(errno))")
        }
    }
}
