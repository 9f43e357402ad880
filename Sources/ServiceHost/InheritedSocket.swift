import CDispatch
internal import CSystemd
import Glibc
package import NIOCore

/// A listening socket that the service manager opened for this process: socket activation, sd_listen_fds(3).
///
/// It stays open as long as the process lives, and in the manager beyond that: whoever listens uses a ``copy()``, and
/// connections that come between two listeners wait in the kernel's queue.
package struct InheritedSocket: Sendable {
    package let descriptor: Int32
    /// `FileDescriptorName=` of the socket unit, else the unit's own name.
    package let name: String
    /// Where it listens.
    package let address: SocketAddress

    /// All of them. The environment variables that told of them are gone afterwards, and no child process inherits them;
    /// to be called once, before the process has threads that read its environment.
    ///
    /// - Throws: ``HostError`` for something that nobody can connect to.
    package static func takeAll() throws -> [InheritedSocket] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &names)
        defer {
            for index in 0..<max(0, Int(count)) { free(names?[index]) }
            free(names)
        }
        guard count >= 0 else {
            throw HostError(
                .value,
                "LISTEN_FDS and its companions cannot be read: \(systemErrorText(-count)); start the socket unit again")
        }
        return try (0..<count).map { index in
            try InheritedSocket(
                descriptor: SD_LISTEN_FDS_START + index,
                name: names?[Int(index)].map { String(cString: $0) } ?? "unknown")
        }
    }

    /// - Throws: ``HostError`` when it is no stream socket that listens on an address.
    init(descriptor: Int32, name: String) throws {
        guard sd_is_socket(descriptor, AF_UNSPEC, Self.streamKind, 1) > 0, let address = Self.address(of: descriptor)
        else {
            throw HostError(
                .value,
                "the inherited file descriptor \(descriptor) (\(name)) is no listening stream socket; its unit needs "
                    + "ListenStream= and Accept=no")
        }
        self.descriptor = descriptor
        self.name = name
        self.address = address
    }

    /// SOCK_STREAM. By its name, in a file that imports libsystemd, the optimised build of this target finds none of the
    /// names SOCK_… in any other file.
    private static let streamKind: Int32 = 1

    /// A descriptor of its own for one listener, who closes it.
    package func copy() throws -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw IOError(errnoCode: errno, reason: "fcntl") }
        return copy
    }

    private static func address(of descriptor: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            let raw = UnsafeMutableRawPointer(pointer)
            guard getsockname(descriptor, raw.assumingMemoryBound(to: sockaddr.self), &length) == 0 else { return nil }
            return switch Int32(pointer.pointee.ss_family) {
            case AF_INET: SocketAddress(raw.load(as: sockaddr_in.self))
            case AF_INET6: SocketAddress(raw.load(as: sockaddr_in6.self))
            case AF_UNIX: SocketAddress(raw.load(as: sockaddr_un.self))
            default: nil
            }
        }
    }
}
