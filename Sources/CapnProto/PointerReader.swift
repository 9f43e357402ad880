package import NIOCore

/// A pointer field of a received message. Valid while one message is decoded; not to be kept.
package struct PointerReader {
    let message: Message
    let budget: ReadBudget
    /// Nil when the sender's struct is too short to have the field: reads as null.
    let location: WordLocation?
    let depth: Int

    /// Whether the field is null, which stands for the default of its type.
    package var isNull: Bool {
        get throws(CapnProtoError) {
            guard let location else { return true }
            return try message.word(at: location) == 0
        }
    }

    private func follow() throws(CapnProtoError) -> Pointer {
        guard let location else { return .null }
        return try message.pointer(at: location, budget: budget)
    }

    private func descend() throws(CapnProtoError) -> Int {
        guard depth > 0 else { throw .nestingTooDeep }
        return depth - 1
    }

    /// The struct, all defaults when null.
    package func structure() throws(CapnProtoError) -> StructReader {
        switch try follow() {
        case .null:
            return StructReader(
                message: message, budget: budget, location: WordLocation(segment: 0, index: 0),
                size: StructSize(data: 0, pointers: 0), depth: 0)
        case .structure(let target, let size):
            return StructReader(
                message: message, budget: budget, location: target, size: size, depth: try descend())
        default:
            throw .wrongPointerKind(expected: .structure)
        }
    }

    /// The elements of a list of structs, empty when null.
    package func structures(limit: Int) throws(CapnProtoError) -> [StructReader] {
        switch try follow() {
        case .null:
            return []
        case .structureList(let first, let count, let element):
            guard count <= limit else { throw .listTooLong(count: count, limit: limit) }
            let depth = try descend()
            return (0..<count).map { index in
                StructReader(
                    message: message, budget: budget,
                    location: WordLocation(segment: first.segment, index: first.index + index * element.words),
                    size: element, depth: depth)
            }
        default:
            throw .wrongPointerKind(expected: .structureList)
        }
    }

    /// The elements of a list of pointers, empty when null.
    package func pointers(limit: Int) throws(CapnProtoError) -> [PointerReader] {
        switch try follow() {
        case .null:
            return []
        case .pointerList(let first, let count):
            guard count <= limit else { throw .listTooLong(count: count, limit: limit) }
            let depth = try descend()
            return (0..<count).map { index in
                PointerReader(
                    message: message, budget: budget,
                    location: WordLocation(segment: first.segment, index: first.index + index), depth: depth)
            }
        default:
            throw .wrongPointerKind(expected: .pointerList)
        }
    }

    /// A list of texts, empty when null.
    package func texts(limit: Int) throws(CapnProtoError) -> [String] {
        var texts: [String] = []
        for pointer in try pointers(limit: limit) {
            texts.append(try pointer.text())
        }
        return texts
    }

    /// A Data field, empty when null; shares its storage with the message.
    package func data() throws(CapnProtoError) -> ByteBuffer {
        switch try follow() {
        case .null:
            return ByteBuffer()
        case .bytes(let target, let count):
            let offset = try message.byteOffset(of: target, wordCount: (count + 7) / 8)
            guard let slice = message.words.getSlice(at: offset, length: count) else { throw .pointerOutOfBounds }
            return slice
        default:
            throw .wrongPointerKind(expected: .bytes)
        }
    }

    /// A Text field, empty when null. Bytes that are not UTF-8 are replaced, as in every text shown to people.
    package func text() throws(CapnProtoError) -> String {
        guard try !isNull else { return "" }
        let bytes = try data()
        guard bytes.readableBytes > 0, bytes.getInteger(at: bytes.writerIndex - 1, as: UInt8.self) == 0 else {
            throw .textNotTerminated
        }
        return bytes.getString(at: bytes.readerIndex, length: bytes.readableBytes - 1) ?? ""
    }

    /// The index into the capability table, nil when null.
    package func capability() throws(CapnProtoError) -> UInt32? {
        switch try follow() {
        case .null: return nil
        case .capability(let index): return index
        default: throw .wrongPointerKind(expected: .capability)
        }
    }
}
