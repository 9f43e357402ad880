import NIOCore

/// Which of the kernel's messages are news (netlink(7), rtnetlink(7)).
///
/// Addresses and routes always are. An interface reports for many reasons, wireless ones every few seconds; it is news
/// only when it came, went, or when its flags are not those it had.
struct NetworkNews: Sendable {
    private enum Kind {
        static let newLink: UInt16 = 16
        static let deletedLink: UInt16 = 17
        static let newAddress: UInt16 = 20
        static let deletedAddress: UInt16 = 21
        static let newRoute: UInt16 = 24
        static let deletedRoute: UInt16 = 25
    }

    /// More interfaces than this are not remembered, so each of their messages is news.
    static let interfaceLimit = 4096

    private var flags: [Int32: UInt32] = [:]

    /// Takes what one read gave.
    ///
    /// - Returns: whether something changed. A message that is cut short counts as a change.
    mutating func received(_ bytes: ByteBuffer) -> Bool {
        var bytes = bytes
        var isNews = false
        while bytes.readableBytes > 0 {
            // struct nlmsghdr: length, type, flags, sequence, port; the next one begins at a multiple of four.
            guard let length = bytes.getInteger(at: bytes.readerIndex, endianness: .host, as: UInt32.self),
                let kind = bytes.getInteger(at: bytes.readerIndex + 4, endianness: .host, as: UInt16.self),
                length >= 16, length <= bytes.readableBytes
            else { return true }
            var message = bytes.getSlice(at: bytes.readerIndex, length: Int(length)) ?? ByteBuffer()
            message.moveReaderIndex(forwardBy: 16)
            if isChange(kind, message) { isNews = true }
            bytes.moveReaderIndex(forwardBy: min((Int(length) + 3) & ~3, bytes.readableBytes))
        }
        return isNews
    }

    private mutating func isChange(_ kind: UInt16, _ message: ByteBuffer) -> Bool {
        switch kind {
        case Kind.newLink:
            // struct ifinfomsg: family, padding, type, index, flags, change.
            guard let index = message.getInteger(at: message.readerIndex + 4, endianness: .host, as: Int32.self),
                let now = message.getInteger(at: message.readerIndex + 8, endianness: .host, as: UInt32.self)
            else { return true }
            guard flags[index] != now else { return false }
            if flags[index] != nil || flags.count < Self.interfaceLimit { flags[index] = now }
            return true
        case Kind.deletedLink:
            if let index = message.getInteger(at: message.readerIndex + 4, endianness: .host, as: Int32.self) {
                flags[index] = nil
            }
            return true
        case Kind.newAddress, Kind.deletedAddress, Kind.newRoute, Kind.deletedRoute:
            return true
        default:
            return false
        }
    }
}
