import NIOCore
import Testing

@testable import CapnProto

/// Bytes from a listing: per line an optional offset, then 4-byte or 8-byte groups, then a comment.
func bytes(_ listing: String) -> ByteBuffer {
    var buffer = ByteBuffer()
    for line in listing.split(separator: "\n") {
        var tokens = line.split(separator: " ")[...]
        if let first = tokens.first, first.count == 4 { tokens = tokens.dropFirst() }
        for token in tokens {
            guard token.count == 8 || token.count == 16, token.allSatisfy(\.isHexDigit) else { break }
            var rest = token[...]
            while let value = UInt8(rest.prefix(2), radix: 16) {
                buffer.writeInteger(value)
                rest = rest.dropFirst(2)
            }
        }
    }
    return buffer
}

/// The one message in the bytes, if they are a whole one.
func message(_ bytes: ByteBuffer) throws(CapnProtoError) -> Message? {
    var decoder = MessageDecoder(limits: FramingLimits(messageBytes: 1 << 20))
    decoder.append(bytes)
    return try decoder.next()
}

/// A message of segments given as words.
func message(segments: [[UInt64]]) throws -> Message {
    var buffer = ByteBuffer()
    buffer.writeInteger(UInt32(segments.count - 1), endianness: .little)
    for segment in segments { buffer.writeInteger(UInt32(segment.count), endianness: .little) }
    if segments.count % 2 == 0 { buffer.writeInteger(UInt32(0)) }
    for word in segments.joined() { buffer.writeInteger(word, endianness: .little) }
    return try #require(try message(buffer))
}

/// Pointer words, to write down what no encoder would.
enum Word {
    static func structure(offset: Int32, data: UInt64, pointers: UInt64) -> UInt64 {
        UInt64(UInt32(bitPattern: offset << 2)) | data << 32 | pointers << 48
    }

    static func list(offset: Int32, code: UInt64, count: UInt64) -> UInt64 {
        UInt64(UInt32(bitPattern: offset << 2) | 1) | (count << 3 | code) << 32
    }

    static func tag(count: UInt64, data: UInt64, pointers: UInt64) -> UInt64 {
        count << 2 | data << 32 | pointers << 48
    }

    static func far(segment: UInt64, word: UInt64, double: Bool = false) -> UInt64 {
        segment << 32 | word << 3 | (double ? 4 : 0) | 2
    }

    static func capability(_ index: UInt64) -> UInt64 { index << 32 | 3 }
}
