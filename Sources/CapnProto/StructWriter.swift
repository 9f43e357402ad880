package import NIOCore

/// A value that can be written as a struct.
package protocol StructEncodable {
    static var structSize: StructSize { get }

    /// Fills the struct. Pointer fields take their place in the order they are set, which for equal bytes has to be the
    /// order of the slots.
    func encode(to fields: inout StructWriter)
}

extension StructEncodable {
    /// The whole message with its stream header, in one segment.
    ///
    /// - Throws: `.messageTooLarge` when the segment would be longer than `limit` bytes.
    package func encodeMessage(limit: Int = 64 << 20) throws(CapnProtoError) -> ByteBuffer {
        var root = StructWriter(segment: SegmentWriter(limit: limit), base: 0, size: StructSize(data: 0, pointers: 1))
        root.setStructure(0, self)
        return try root.segment.finish()
    }
}

/// The one segment of a message being written, behind room for the header.
struct SegmentWriter {
    static let headerBytes = 8
    private(set) var bytes: ByteBuffer
    private let limit: Int
    private var missing = 0

    /// Starts with the root pointer.
    init(limit: Int) {
        self.limit = limit
        bytes = ByteBuffer()
        bytes.writeRepeatingByte(0, count: Self.headerBytes + 8)
    }

    /// For the moment in which a child holds the real one.
    init() {
        limit = 0
        bytes = ByteBuffer()
    }

    var wordCount: Int { bytes.writerIndex / 8 - 1 }

    /// The index of the first of `count` zeroed words, or nil when the message gets too large; `finish` then throws.
    mutating func allocate(_ count: Int) -> Int? {
        let start = wordCount
        guard missing == 0, (start + count) * 8 <= limit else {
            missing += count
            return nil
        }
        bytes.writeRepeatingByte(0, count: count * 8)
        return start
    }

    mutating func set<Value: FixedWidthInteger>(_ value: Value, word: Int, byte: Int = 0) {
        bytes.setInteger(value, at: Self.headerBytes + word * 8 + byte, endianness: .little)
    }

    mutating func set(_ buffer: ByteBuffer, word: Int) {
        bytes.setBuffer(buffer, at: Self.headerBytes + word * 8)
    }

    mutating func set(_ text: String, word: Int) {
        bytes.setString(text, at: Self.headerBytes + word * 8)
    }

    /// The pointer word for a target `kind` away from the pointer itself.
    mutating func setPointer(at word: Int, target: Int, kind: UInt64, upper: UInt64) {
        let offset = UInt64(UInt32(bitPattern: Int32(truncatingIfNeeded: target - word - 1)) << 2)
        set(upper << 32 | offset | kind, word: word)
    }

    consuming func finish() throws(CapnProtoError) -> ByteBuffer {
        guard missing == 0 else { throw .messageTooLarge(bytes: (wordCount + missing) * 8, limit: limit) }
        bytes.setInteger(UInt32(truncatingIfNeeded: wordCount), at: 4, endianness: .little)
        return bytes
    }
}

/// Writes the fields of one struct. Setting a default costs nothing and writes nothing.
package struct StructWriter {
    fileprivate var segment: SegmentWriter
    /// First word of the data section.
    private let dataBase: Int
    private let size: StructSize

    fileprivate init(segment: SegmentWriter, base dataBase: Int, size: StructSize) {
        self.segment = segment
        self.dataBase = dataBase
        self.size = size
    }

    /// A number at a byte offset of the data section.
    package mutating func set<Value: FixedWidthInteger>(_ value: Value, at byte: Int) {
        assert(byte >= 0 && byte + MemoryLayout<Value>.size <= size.dataWords * 8)
        segment.set(value, word: dataBase, byte: byte)
    }

    /// A bit, counted from the lowest, of the otherwise unused byte at an offset of the data section.
    package mutating func setBit(_ bit: Int, at byte: Int, to value: Bool) {
        set(UInt8(value ? 1 : 0) << UInt8(truncatingIfNeeded: bit), at: byte)
    }

    /// A Text field; empty is written as null.
    package mutating func setText(_ slot: Int, _ text: String) {
        setText(text, at: pointerWord(slot))
    }

    /// A Data field; empty is written as null.
    package mutating func setData(_ slot: Int, _ data: ByteBuffer) {
        let count = data.readableBytes
        guard count > 0, let target = segment.allocate((count + 7) / 8) else { return }
        segment.set(data, word: target)
        segment.setPointer(at: pointerWord(slot), target: target, kind: 1, upper: Self.listBits(code: 2, count: count))
    }

    /// A Data field; empty is written as null.
    package mutating func setData(_ slot: Int, _ data: [UInt8]) {
        setData(slot, ByteBuffer(bytes: data))
    }

    /// A list of texts; empty is written as null.
    package mutating func setTexts(_ slot: Int, _ texts: [String]) {
        guard !texts.isEmpty, let target = segment.allocate(texts.count) else { return }
        let upper = Self.listBits(code: 6, count: texts.count)
        segment.setPointer(at: pointerWord(slot), target: target, kind: 1, upper: upper)
        for (index, text) in texts.enumerated() {
            setText(text, at: target + index)
        }
    }

    /// A struct. One without size points just before itself, as the Go library writes it.
    package mutating func setStructure(_ slot: Int, _ value: some StructEncodable) {
        let size = type(of: value).structSize
        let word = pointerWord(slot)
        guard size.words > 0 else {
            segment.setPointer(at: word, target: word, kind: 0, upper: 0)
            return
        }
        guard let target = segment.allocate(size.words) else { return }
        segment.setPointer(at: word, target: target, kind: 0, upper: Self.sizeBits(size))
        encode(value, at: target, size: size)
    }

    /// A list of structs, written even when empty, as the Go library does.
    package mutating func setStructures<Value: StructEncodable>(_ slot: Int, _ values: [Value]) {
        let size = Value.structSize
        let words = size.words * values.count
        guard let tag = segment.allocate(1 + words) else { return }
        segment.setPointer(
            at: pointerWord(slot), target: tag, kind: 1, upper: Self.listBits(code: 7, count: words))
        segment.set(Self.sizeBits(size) << 32 | UInt64(values.count) << 2, word: tag)
        for (index, value) in values.enumerated() {
            encode(value, at: tag + 1 + index * size.words, size: size)
        }
    }

    /// A capability, by its index in the table that goes with the message.
    package mutating func setCapability(_ slot: Int, index: UInt32) {
        segment.set(UInt64(index) << 32 | 3, word: pointerWord(slot))
    }

    private mutating func encode(_ value: some StructEncodable, at base: Int, size: StructSize) {
        // The segment moves to the child and back, so that it never has two owners and is never copied.
        var child = StructWriter(segment: SegmentWriter(), base: base, size: size)
        swap(&child.segment, &segment)
        value.encode(to: &child)
        swap(&child.segment, &segment)
    }

    private mutating func setText(_ text: String, at word: Int) {
        let count = text.utf8.count
        guard count > 0, let target = segment.allocate(count / 8 + 1) else { return }
        segment.set(text, word: target)
        segment.setPointer(at: word, target: target, kind: 1, upper: Self.listBits(code: 2, count: count + 1))
    }

    private func pointerWord(_ slot: Int) -> Int {
        assert(slot >= 0 && slot < size.pointers)
        return dataBase + size.dataWords + slot
    }

    private static func listBits(code: UInt64, count: Int) -> UInt64 {
        UInt64(count) << 3 | code
    }

    private static func sizeBits(_ size: StructSize) -> UInt64 {
        UInt64(size.dataWords) | UInt64(size.pointers) << 16
    }
}
