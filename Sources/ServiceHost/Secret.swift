import Foundation
import Glibc

/// A token, key or password. It can be used but not printed: every way of turning it into text gives `*****`.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// What is printed in place of a secret, as in the official client.
    package static let mask = "*****"
    /// No token, key or credentials file comes near this many bytes.
    package static let maximumFileSize = 64 * 1024

    /// The secret itself. Name it only where it goes on the wire or into a parser.
    package let exposed: String

    package init(_ exposed: String) { self.exposed = exposed }

    package var description: String { Self.mask }
    package var debugDescription: String { Self.mask }
    package var customMirror: Mirror { Mirror(reflecting: Self.mask) }
}

/// A secret that was read from a file, with what is worth a warning.
package struct FileSecret: Sendable {
    package var secret: Secret
    /// Whether every user of the host may read the file.
    package var isReadableByAll: Bool

    /// Reads a whole file and trims white space at both ends, as `--token-file` does.
    ///
    /// - Throws: ``HostError`` naming the file, when it cannot be opened, is empty, longer than
    ///   ``Secret/maximumFileSize`` or not UTF-8.
    package init(path: String) throws {
        let content = try SmallFile.read(path, limit: Secret.maximumFileSize)
        let text = content.text.trimmingWhitespace()
        guard !text.isEmpty else { throw HostError(.secret, "\(path) is empty; put the secret in it") }
        secret = Secret(text)
        isReadableByAll = content.mode & 0o004 != 0
    }
}

/// A file that is read whole, with a bound.
package enum SmallFile {
    /// - Returns: the text and the permission bits.
    /// - Throws: ``HostError`` with code `file` (cannot be read) or `secret` (too long, not text).
    package static func read(_ path: String, limit: Int) throws -> (text: String, mode: UInt32) {
        // O_NONBLOCK: a FIFO given by mistake must not hang the start.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw HostError(.file, "cannot open \(path): \(systemErrorText(errno))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw HostError(.file, "cannot read \(path): \(systemErrorText(errno))") }
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= limit else { throw HostError(.secret, "\(path) is longer than \(limit) bytes") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw HostError(.secret, "\(path) is not UTF-8 text")
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return (text, (attributes?[.posixPermissions] as? NSNumber)?.uint32Value ?? 0)
    }
}

extension String {
    func trimmingWhitespace() -> String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}

/// The system's own text for an error number.
func systemErrorText(_ number: Int32) -> String {
    strerror(number).map { String(cString: $0) } ?? "error \(number)"
}
