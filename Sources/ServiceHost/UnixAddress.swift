import CDispatch
import Glibc

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
    func connect(_ descriptor: Int32) -> Bool { call { Glibc.connect(descriptor, $0, $1) } }

    /// Gives a socket this address.
    func bind(_ descriptor: Int32) -> Bool { call { Glibc.bind(descriptor, $0, $1) } }

    private func call(_ function: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Bool {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        } == 0
    }

    /// Removes a socket that a killed process left behind. Anything else stays: a socket that somebody listens on, a file,
    /// a directory.
    static func removeAbandoned(_ path: String) {
        var attributes = stat()
        guard lstat(path, &attributes) == 0, attributes.st_mode & S_IFMT == S_IFSOCK else { return }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let probe = socket(AF_UNIX, kind, 0)
        guard probe >= 0 else { return }
        defer { close(probe) }
        if UnixAddress(path)?.connect(probe) == false, errno == ECONNREFUSED { unlink(path) }
    }
}
