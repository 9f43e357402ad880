import Foundation
import Glibc
import ServiceHost
import TunnelConfig

/// `<UUID>.json` on disk. Source: cli-and-config.md sections 3.2 and 3.4.
enum CredentialsFile {
    /// Writes with mode 0400. Never overwrites: a credentials file may be the only copy of its secret.
    static func write(_ credentials: TunnelCredentials, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o400)
        guard descriptor >= 0 else {
            let reason = errno == EEXIST ? "it exists, and is not overwritten" : String(cString: strerror(errno))
            throw CommandError(.failure, "cannot write the credentials file \(path): \(reason)")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: Data(credentials.json.utf8))
            try handle.close()
        } catch {
            unlink(path)
            throw CommandError(.failure, "cannot write the credentials file \(path)", cause: error)
        }
    }

    static func read(_ path: String, reference: UUID? = nil) throws -> TunnelCredentials {
        let text: String
        do {
            text = try SmallFile.read(path, limit: 1 << 20).text
        } catch {
            throw CommandError(.configuration, "cannot read the tunnel credentials", cause: error)
        }
        return try TunnelCredentials.parse(json: text, path: path, reference: reference)
    }
}
