import NIOCore
import Testing

@testable import ServiceHost

struct NetworkNewsTests {
    /// struct nlmsghdr with its payload, padded as the kernel does.
    private func message(_ kind: UInt16, _ payload: [UInt32]) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeInteger(UInt32(16 + payload.count * 4), endianness: .host)
        bytes.writeInteger(kind, endianness: .host)
        bytes.writeRepeatingByte(0, count: 10)
        for word in payload { bytes.writeInteger(word, endianness: .host) }
        return bytes
    }

    /// struct ifinfomsg.
    private func link(_ index: UInt32, flags: UInt32) -> ByteBuffer { message(16, [0, index, flags, 0]) }

    @Test func `addresses and routes are news, each time`() {
        var news = NetworkNews()
        for kind in [UInt16(20), 21, 24, 25] {
            #expect(news.received(message(kind, [0, 0])) == true)
            #expect(news.received(message(kind, [0, 0])) == true)
        }
    }

    @Test func `an interface is news when its flags change, not when it merely reports`() {
        var news = NetworkNews()
        #expect(news.received(link(3, flags: 0x11043)) == true)
        #expect(news.received(link(3, flags: 0x11043)) == false)
        #expect(news.received(link(3, flags: 0x1003)) == true)
        #expect(news.received(link(4, flags: 0x1003)) == true)
        #expect(news.received(link(4, flags: 0x1003)) == false)
        #expect(news.received(message(17, [0, 3, 0, 0])) == true)
        #expect(news.received(link(3, flags: 0x1003)) == true)
    }

    @Test func `one read may hold several messages, and other kinds are no news`() {
        var news = NetworkNews()
        _ = news.received(link(3, flags: 1))
        var both = link(3, flags: 1)
        both.writeImmutableBuffer(message(28, [7]))
        #expect(news.received(both) == false)
        both.writeImmutableBuffer(message(24, []))
        #expect(news.received(both) == true)
        #expect(news.received(ByteBuffer()) == false)
    }

    @Test func `a message cut short anywhere counts as a change and never traps`() {
        let whole = link(3, flags: 1)
        for length in 1..<whole.readableBytes {
            var news = NetworkNews()
            #expect(news.received(whole.getSlice(at: 0, length: length) ?? ByteBuffer()) == true)
        }
    }

    @Test func `random bytes never trap`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<5000 {
            var news = NetworkNews()
            let count = Int.random(in: 0..<80, using: &random)
            _ = news.received(
                ByteBuffer(bytes: (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) & 0x1f }))
        }
    }
}

struct ClockGapTests {
    private func reading(_ monotonic: Double, _ boot: Double, _ wall: Double) -> ClockReading {
        ClockReading(monotonic: .seconds(monotonic), boot: .seconds(boot), wall: .seconds(wall))
    }

    @Test func `a host that slept, a process that stood still and a machine put aside are noticed`() {
        var gap = ClockGap(expected: .seconds(3), start: reading(100, 100, 9000))
        #expect(gap.looked(reading(103, 103, 9003)) == nil)
        #expect(gap.looked(reading(106, 166, 9066)) == .seconds(60))
        #expect(gap.looked(reading(119, 179, 9079)) == .seconds(10))
        #expect(gap.looked(reading(122, 182, 9682)) == .seconds(600))
        #expect(gap.looked(reading(125, 185, 9685)) == nil)
    }

    @Test func `a timer that is a little late and a clock set back are not`() {
        var gap = ClockGap(expected: .seconds(3), start: reading(100, 100, 9000))
        #expect(gap.looked(reading(104.5, 104.5, 9004.5)) == nil)
        #expect(gap.looked(reading(107.5, 107.5, 3000)) == nil)
    }
}
