import Glibc

/// The file that a unix socket leaves behind when its process is killed.
enum AbandonedSocket {
    /// Removes a socket that nobody listens on. Anything else stays: another process's socket, a file, a directory.
    static func remove(_ path: String) {
        var attributes = stat()
        guard lstat(path, &attributes) == 0, attributes.st_mode & S_IFMT == S_IFSOCK else { return }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let probe = socket(AF_UNIX, kind, 0)
        guard probe >= 0 else { return }
        defer { close(probe) }
        if UnixAddress(path)?.connect(probe) == false, errno == ECONNREFUSED { unlink(path) }
    }
}

/// The address of a unix socket.
struct UnixAddress {
    private var address: sockaddr_un

    /// Nil when the path is too long to be one.
    init?(_ path: String) {
        address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let hasRoom = withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            guard path.utf8.count < bytes.count else { return false }
            bytes.copyBytes(from: path.utf8)
            return true
        }
        guard hasRoom else { return nil }
    }

    /// Connects a socket. `errno` says why not.
    func connect(_ descriptor: Int32) -> Bool {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        } == 0
    }
}
