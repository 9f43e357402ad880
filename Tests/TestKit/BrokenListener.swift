import Glibc

/// Makes the socket on which this process listens at a port fail its next accept, as one does whose kernel side is gone.
///
/// - Returns: whether there was one.
package func breakListener(port: Int) -> Bool {
    for descriptor in Int32(3)..<4096 {
        var isListening: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0, isListening == 1,
            localPort(of: descriptor) == port
        else { continue }
        return shutdown(descriptor, Int32(SHUT_RDWR)) == 0
    }
    return false
}

private func localPort(of descriptor: Int32) -> Int? {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isKnown = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
    }
    guard isKnown, Int32(address.sin_family) == AF_INET else { return nil }
    return Int(UInt16(bigEndian: address.sin_port))
}

/// A socket that listens at a free port of 127.0.0.1 without anybody accepting. Whoever asks closes it.
package func makeListeningSocket() -> (descriptor: Int32, port: Int)? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let isListening = withUnsafePointer(to: address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
    guard isListening, listen(descriptor, 16) == 0, let port = localPort(of: descriptor) else {
        close(descriptor)
        return nil
    }
    return (descriptor, port)
}
