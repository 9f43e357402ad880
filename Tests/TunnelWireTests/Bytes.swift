import NIOCore

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
