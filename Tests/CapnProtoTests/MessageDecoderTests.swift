import NIOCore
import Testing

@testable import CapnProto

struct MessageDecoderTests {
    private let finish = bytes("0000000004000000 0000000001000100 0400000000000000 0000000001000000 0100000001000000")

    @Test func `a message comes out when its last byte has come, however it is cut`() throws {
        for cut in 0..<finish.readableBytes {
            var decoder = MessageDecoder(limits: FramingLimits(messageBytes: 1024))
            decoder.append(try #require(finish.getSlice(at: 0, length: cut)))
            #expect(try decoder.next() == nil)
            decoder.append(try #require(finish.getSlice(at: cut, length: finish.readableBytes - cut)))
            #expect(try decoder.next()?.byteCount == 32)
            #expect(try decoder.next() == nil)
            #expect(decoder.bufferedBytes == 0)
        }
    }

    @Test func `messages follow each other with nothing in between, and what is left over stays`() throws {
        var decoder = MessageDecoder(limits: FramingLimits(messageBytes: 1024))
        decoder.append(finish)
        decoder.append(finish)
        decoder.append(ByteBuffer(string: "payload"))
        #expect(try decoder.next() != nil)
        #expect(try decoder.next() != nil)
        #expect(decoder.takeRemainder() == ByteBuffer(string: "payload"))
        #expect(decoder.bufferedBytes == 0)
    }

    @Test func `the header alone is enough to refuse a message that is too large, and the refusal stays`() throws {
        var decoder = MessageDecoder(limits: FramingLimits(messageBytes: 1 << 20))
        let expected = CapnProtoError.messageTooLarge(bytes: (1 << 20) + 8, limit: 1 << 20)
        decoder.append(bytes("00000000 01000200"))
        #expect(throws: expected) { try decoder.next() }
        decoder.append(finish)
        #expect(throws: expected) { try decoder.next() }
        #expect(decoder.bufferedBytes == finish.readableBytes)
    }

    @Test func `a message of just the limit is waited for`() throws {
        var decoder = MessageDecoder(limits: FramingLimits(messageBytes: 1 << 20))
        decoder.append(bytes("00000000 00000200"))
        #expect(try decoder.next() == nil)
    }

    @Test func `sizes that together overflow nothing are still added up`() throws {
        var decoder = MessageDecoder(limits: FramingLimits(messageBytes: 1 << 20))
        decoder.append(bytes("02000000 ffffffff ffffffff ffffffff"))
        #expect(throws: CapnProtoError.messageTooLarge(bytes: 3 * 8 * 0xffff_ffff, limit: 1 << 20)) {
            try decoder.next()
        }
    }

    @Test func `64 segments are accepted, the 65th is refused by the first four bytes`() throws {
        let message = try message(segments: Array(repeating: [0], count: 64))
        #expect(message.segments.count == 64)
        var decoder = MessageDecoder(limits: FramingLimits(messageBytes: 1 << 20))
        decoder.append(bytes("40000000"))
        #expect(throws: CapnProtoError.tooManySegments(count: 65, limit: 64)) { try decoder.next() }
        var largest = MessageDecoder(limits: FramingLimits(messageBytes: 1 << 20))
        largest.append(bytes("ffffffff"))
        #expect(throws: CapnProtoError.tooManySegments(count: 1 << 32, limit: 64)) { try largest.next() }
    }

    @Test func `a new limit counts from the next header on`() throws {
        var decoder = MessageDecoder(limits: FramingLimits(messageBytes: 16))
        decoder.limits.messageBytes = 32
        decoder.append(finish)
        #expect(try decoder.next() != nil)
        decoder.limits.messageBytes = 31
        decoder.append(finish)
        #expect(throws: CapnProtoError.messageTooLarge(bytes: 32, limit: 31)) { try decoder.next() }
    }

    @Test func `a message without words has no root`() throws {
        let empty = try #require(try message(bytes("00000000 00000000")))
        #expect(throws: CapnProtoError.emptyMessage) { _ = try empty.root() }
    }
}
