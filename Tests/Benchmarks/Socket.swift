import Glibc

/// A blocking TCP socket on loopback: the plainest load there is, so that what is measured is the chain.
struct Socket {
    let fd: Int32

    static func connect(port: Int) throws -> Socket {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard fd >= 0 else { throw BenchmarkError("socket: \(errnoText)") }
        var address = loopback(port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            Glibc.close(fd)
            throw BenchmarkError("connect to port \(port): \(errnoText)")
        }
        let socket = Socket(fd: fd)
        socket.configure()
        return socket
    }

    /// A listening socket and its port.
    static func listen() throws -> (socket: Socket, port: Int) {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var one: Int32 = 1
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        var address = loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, size) == 0 && Glibc.listen(fd, 1024) == 0 && getsockname(fd, $0, &size) == 0
            }
        }
        guard bound else { throw BenchmarkError("listen: \(errnoText)") }
        return (Socket(fd: fd), Int(UInt16(bigEndian: address.sin_port)))
    }

    func accept() -> Socket? {
        let accepted = Glibc.accept(fd, nil, nil)
        guard accepted >= 0 else { return nil }
        let socket = Socket(fd: accepted)
        socket.configure()
        return socket
    }

    private func configure() {
        var one: Int32 = 1
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        var limit = timeval(tv_sec: 120, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ buffer: UnsafeRawBufferPointer) throws {
        var offset = 0
        while offset < buffer.count {
            let rest = UnsafeRawBufferPointer(rebasing: buffer[offset...])
            let sent = Glibc.send(fd, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            guard sent > 0 else { throw BenchmarkError("send: \(errnoText)") }
            offset += sent
        }
    }

    /// Bytes received, 0 at the end.
    func receive(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = recv(fd, buffer.baseAddress, buffer.count, 0)
        guard count >= 0 else { throw BenchmarkError("receive: \(errnoText)") }
        return count
    }

    /// Fills the buffer or throws.
    func receiveAll(_ buffer: UnsafeMutableRawBufferPointer) throws {
        var offset = 0
        while offset < buffer.count {
            let count = try receive(UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]))
            guard count > 0 else { throw BenchmarkError("the stream ended early") }
            offset += count
        }
    }

    func close() {
        Glibc.close(fd)
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

var errnoText: String { String(cString: strerror(errno)) }

struct BenchmarkError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
