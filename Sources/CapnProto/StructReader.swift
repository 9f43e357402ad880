import NIOCore

/// A struct of a received message. What lies beyond the sections the sender wrote reads as zero or null, what lies
/// beyond those we know is ignored: that is how both sides may be of different age.
/// Valid while one message is decoded; not to be kept.
package struct StructReader {
    let message: Message
    let budget: ReadBudget
    let location: WordLocation
    let size: StructSize
    let depth: Int

    /// The number at a byte offset of the data section.
    package func integer<Value: FixedWidthInteger>(at byte: Int, as: Value.Type = Value.self) -> Value {
        let width = MemoryLayout<Value>.size
        guard byte >= 0, byte + width <= size.dataWords * 8,
            let start = try? message.byteOffset(of: location, wordCount: size.words)
        else { return 0 }
        return message.words.getInteger(at: start + byte, endianness: .little) ?? 0
    }

    /// The bit counted from the lowest of the byte at an offset of the data section.
    package func bit(_ bit: Int, at byte: Int) -> Bool {
        integer(at: byte, as: UInt8.self) >> UInt8(truncatingIfNeeded: bit) & 1 == 1
    }

    /// A slot of the pointer section.
    package func pointer(_ slot: Int) -> PointerReader {
        let isPresent = slot >= 0 && slot < size.pointers
        let index = location.index + size.dataWords + slot
        return PointerReader(
            message: message, budget: budget,
            location: isPresent ? WordLocation(segment: location.segment, index: index) : nil, depth: depth)
    }

    /// Reads the struct behind a slot.
    package func structure<Value: StructDecodable>(
        _ slot: Int, as: Value.Type = Value.self
    ) throws(CapnProtoError) -> Value {
        try Value(from: pointer(slot).structure())
    }
}

/// A value that can be read from a struct.
package protocol StructDecodable {
    init(from fields: StructReader) throws(CapnProtoError)
}

extension StructDecodable {
    /// Reads the root of a message.
    package static func decode(_ message: Message) throws(CapnProtoError) -> Self {
        try Self(from: message.root().structure())
    }
}
