import Foundation
import Glibc

/// The program that a unit is to start.
enum ServiceProgram {
    /// The file of this process.
    static func current() throws(CommandError) -> String {
        do {
            return try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        } catch {
            throw CommandError(.failure, "cannot find out where this program lies", cause: error)
        }
    }

    /// The path as a unit takes it. The service runs under an account of its own that sees no home directory.
    ///
    /// - Parameter root: the directory of the system in which it is started; empty for this host.
    static func checked(_ path: String, root: String = "") throws(CommandError) -> String {
        let remedy = "put it where everybody may run it: install -m 755 \(path) /usr/local/bin/cloudflared"
        guard path.hasPrefix("/"), isQuotable(path) else {
            throw CommandError(.failure, "the path \(OutputText.safe(path)) cannot stand in a unit; \(remedy)")
        }
        for hidden in ["/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"] where path.hasPrefix(hidden) {
            throw CommandError(.failure, "the service would not see \(path); \(remedy)")
        }
        var part = path
        while part != "/" {
            var information = stat()
            guard stat(root + part, &information) == 0, information.st_mode & S_IXOTH != 0 else {
                throw CommandError(.failure, "not everybody may run \(path), because of \(part); \(remedy)")
            }
            part = (part as NSString).deletingLastPathComponent
        }
        return path.contains(" ") ? "\"\(path)\"" : path
    }

    /// Spaces are all that quotes are put around.
    private static func isQuotable(_ path: String) -> Bool {
        path.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f && !#"%$"'\;"#.utf8.contains($0) }
    }
}
