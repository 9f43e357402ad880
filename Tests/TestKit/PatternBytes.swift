package import NIOCore

/// A fixed sequence of numbers, so that a failing test fails again.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

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
