package import NIOCore

/// What a stream header may announce.
package struct FramingLimits: Equatable, Sendable {
    /// Bytes of all segments of one message together.
    package var messageBytes: Int
    package var segments: Int

    package init(messageBytes: Int, segments: Int = 64) {
        self.messageBytes = messageBytes
        self.segments = segments
    }
}

/// Cuts a byte stream into messages (stream framing, not packed; tunnel-protocol section 3.1).
///
/// The header is judged before a byte of the body is waited for, so what is held is at most one accepted message and
/// the last chunk. Lives as long as the stream; after an error it only repeats the error.
package struct MessageDecoder: Sendable {
    /// May be changed between messages; applies from the next header on.
    package var limits: FramingLimits
    private var buffer = ByteBuffer()
    private var header: Header?
    private var failure: CapnProtoError?

    private struct Header {
        var segments: [Message.Segment]
        var byteCount: Int
    }

    package init(limits: FramingLimits) {
        self.limits = limits
    }

    /// Bytes received that no message has taken yet, without the header being read.
    package var bufferedBytes: Int { buffer.readableBytes }

    package mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next message, or nil when more bytes are needed.
    package mutating func next() throws(CapnProtoError) -> Message? {
        if let failure { throw failure }
        do {
            return try readMessage()
        } catch {
            failure = error
            buffer = ByteBuffer()
            throw error
        }
    }

    /// The bytes after the last message, for streams where something else follows. The decoder is empty afterwards.
    package mutating func takeRemainder() -> ByteBuffer {
        defer { buffer = ByteBuffer() }
        return buffer
    }

    private mutating func readMessage() throws(CapnProtoError) -> Message? {
        if header == nil { header = try readHeader() }
        guard let header, let words = buffer.readSlice(length: header.byteCount) else { return nil }
        self.header = nil
        if buffer.readableBytes == 0 {
            buffer = ByteBuffer()
        } else if buffer.readerIndex > buffer.readableBytes {
            buffer.discardReadBytes()
        }
        return Message(words: words, segments: header.segments)
    }

    private mutating func readHeader() throws(CapnProtoError) -> Header? {
        let start = buffer.readerIndex
        guard let last = buffer.getInteger(at: start, endianness: .little, as: UInt32.self) else { return nil }
        let count = Int(last) + 1
        guard count <= limits.segments else { throw .tooManySegments(count: count, limit: limits.segments) }
        // One word for the count and the first size; two more sizes in each further word.
        let headerBytes = (4 + 4 * count + 7) / 8 * 8
        guard buffer.readableBytes >= headerBytes else { return nil }
        var segments: [Message.Segment] = []
        var bytes = 0
        for index in 0..<count {
            guard let words = buffer.getInteger(at: start + 4 + 4 * index, endianness: .little, as: UInt32.self) else {
                return nil
            }
            segments.append(Message.Segment(start: bytes, wordCount: Int(words)))
            bytes += Int(words) * 8
        }
        guard bytes <= limits.messageBytes else { throw .messageTooLarge(bytes: bytes, limit: limits.messageBytes) }
        buffer.moveReaderIndex(forwardBy: headerBytes)
        return Header(segments: segments, byteCount: bytes)
    }
}
