import NIOCore
import Testing

@testable import ServiceHost

@Suite struct NetworkPathTests {
    /// A route as the kernel answers it: interface 2, a router, our own address, and an attribute that changes by itself.
    private static func answer(router: UInt8 = 1, interface: UInt32 = 2, lifetime: UInt8 = 0) -> ByteBuffer {
        var attributes = ByteBuffer()
        func attribute(_ kind: UInt16, _ value: [UInt8]) {
            attributes.writeInteger(UInt16(4 + value.count), endianness: .host)
            attributes.writeInteger(kind, endianness: .host)
            attributes.writeBytes(value)
        }
        attribute(4, withUnsafeBytes(of: interface) { Array($0) })
        attribute(5, [198, 51, 100, router])
        attribute(7, [198, 51, 100, 7])
        attribute(12, [lifetime, 0, 0, 0])
        var message = ByteBuffer()
        message.writeInteger(UInt32(28 + attributes.readableBytes), endianness: .host)
        message.writeInteger(UInt16(24), endianness: .host)
        message.writeRepeatingByte(0, count: 22)
        message.writeBuffer(&attributes)
        return message
    }

    @Test func `ways differ by interface and router, not by what changes on its own`() throws {
        let path = try #require(NetworkPath(answer: Self.answer()))
        #expect(NetworkPath(answer: Self.answer(lifetime: 9)) == path)
        #expect(NetworkPath(answer: Self.answer(router: 3)) != path)
        #expect(NetworkPath(answer: Self.answer(interface: 5)) != path)
    }

    @Test func `an answer cut anywhere, or of another kind, does no harm`() {
        let whole = Self.answer()
        for length in 0..<whole.readableBytes {
            #expect(NetworkPath(answer: whole.getSlice(at: 0, length: length) ?? ByteBuffer()) == nil)
        }
        for index in 0..<whole.readableBytes {
            for value in [UInt8(0), 1, 3, 255] {
                var damaged = whole
                damaged.setInteger(value, at: index)
                _ = NetworkPath(answer: damaged)
            }
        }
        var refusal = whole
        refusal.setInteger(UInt16(2), at: 4, endianness: .host)
        #expect(NetworkPath(answer: refusal) == nil)
    }

    @Test func `the kernel knows the way to this host itself`() throws {
        let path = try #require(NetworkPath.to(SocketAddress(ipAddress: "127.0.0.1", port: 80)))
        #expect(try NetworkPath.to(SocketAddress(ipAddress: "127.0.0.1", port: 443)) == path)
        #expect(try NetworkPath.to(SocketAddress(unixDomainSocketPath: "/run/none")) == nil)
    }
}
