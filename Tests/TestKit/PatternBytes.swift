import Fuzzing
package import NIOCore

/// Bytes in which every stretch of 256 differs from every other, so that a lost, doubled or moved piece shows.
package func patternBytes(_ count: Int, seed: UInt8 = 0) -> ByteBuffer {
    var generator = SeededGenerator(seed: UInt64(seed))
    let block = ByteBuffer(bytes: (0..<31).flatMap { _ in withUnsafeBytes(of: generator.next()) { Array($0) } })
    var buffer = ByteBufferAllocator().buffer(capacity: count + 256)
    while buffer.readableBytes < count {
        buffer.writeImmutableBuffer(block)
        buffer.writeInteger(UInt64(buffer.readableBytes))
    }
    return buffer.getSlice(at: 0, length: count) ?? buffer
}
