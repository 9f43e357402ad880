import Glibc
package import NIOCore

/// The way that packets to an address take from this host, as the kernel's routes are now (rtnetlink(7)). Two that differ
/// lead over another interface, another router, or come from another address of ours.
package struct NetworkPath: Sendable, Equatable {
    private var interface: UInt32?
    private var gateway: [UInt8] = []
    private var source: [UInt8] = []

    /// Asks the kernel, which answers at once.
    ///
    /// - Returns: nil when there is no way, for what is no IP address, and when the kernel cannot be asked.
    package static func to(_ address: SocketAddress) -> NetworkPath? {
        let kind = CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        guard let question = question(address) else { return nil }
        let descriptor = socket(AF_NETLINK, kind, 0)
        guard descriptor >= 0 else { return nil }
        defer { Glibc.close(descriptor) }
        let sent = question.withUnsafeReadableBytes { send(descriptor, $0.baseAddress, $0.count, 0) }
        guard sent == question.readableBytes else { return nil }
        var answer = ByteBuffer()
        answer.writeWithUnsafeMutableBytes(minimumWritableBytes: 4096) { space in
            max(0, recv(descriptor, space.baseAddress, space.count, 0))
        }
        return NetworkPath(answer: answer)
    }

    private enum Kind {
        static let newRoute: UInt16 = 24
        static let getRoute: UInt16 = 26
    }

    private enum Attribute {
        static let destination: UInt16 = 1
        static let interface: UInt16 = 4
        static let gateway: UInt16 = 5
        static let preferredSource: UInt16 = 7
    }

    /// struct nlmsghdr, struct rtmsg, one attribute.
    private static func question(_ address: SocketAddress) -> ByteBuffer? {
        guard let text = address.ipAddress else { return nil }
        let family = address.protocol == .inet6 ? AF_INET6 : AF_INET
        var bytes = [UInt8](repeating: 0, count: family == AF_INET6 ? 16 : 4)
        guard inet_pton(family, text, &bytes) == 1 else { return nil }
        var message = ByteBuffer()
        message.writeInteger(UInt32(16 + 12 + 4 + bytes.count), endianness: .host)
        message.writeInteger(Kind.getRoute, endianness: .host)
        // NLM_F_REQUEST; sequence; port.
        message.writeInteger(UInt16(1), endianness: .host)
        message.writeRepeatingByte(0, count: 8)
        message.writeInteger(UInt8(truncatingIfNeeded: family))
        message.writeInteger(UInt8(bytes.count * 8))
        message.writeRepeatingByte(0, count: 10)
        message.writeInteger(UInt16(4 + bytes.count), endianness: .host)
        message.writeInteger(Attribute.destination, endianness: .host)
        message.writeBytes(bytes)
        return message
    }

    /// - Parameter answer: one datagram of the kernel; anything but a route gives nil.
    init?(answer: ByteBuffer) {
        var bytes = answer
        guard let length = bytes.readInteger(endianness: .host, as: UInt32.self),
            let kind = bytes.readInteger(endianness: .host, as: UInt16.self), kind == Kind.newRoute,
            length >= 28, length <= answer.readableBytes,
            var attributes = bytes.getSlice(at: 28, length: Int(length) - 28)
        else { return nil }
        while let length = attributes.readInteger(endianness: .host, as: UInt16.self),
            let kind = attributes.readInteger(endianness: .host, as: UInt16.self), length >= 4,
            let value = attributes.readBytes(length: Int(length) - 4)
        {
            switch kind {
            case Attribute.interface:
                interface = ByteBuffer(bytes: value).getInteger(at: 0, endianness: .host)
            case Attribute.gateway: gateway = value
            case Attribute.preferredSource: source = value
            default: break
            }
            attributes.moveReaderIndex(forwardBy: min((4 - value.count % 4) % 4, attributes.readableBytes))
        }
    }
}
