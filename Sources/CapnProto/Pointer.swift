/// A pointer word followed to where it leads: far pointers resolved, bounds checked, the traversal paid for.
enum Pointer: Equatable {
    case null
    case structure(WordLocation, StructSize)
    /// Bytes of a Text or Data; `count` is in bytes.
    case bytes(WordLocation, count: Int)
    case pointerList(WordLocation, count: Int)
    /// Elements one after the other, `count` of them.
    case structureList(WordLocation, count: Int, element: StructSize)
    case capability(UInt32)
}

/// The sections of a struct, in words.
package struct StructSize: Equatable, Sendable {
    package var dataWords: Int
    package var pointers: Int

    package init(data: Int, pointers: Int) {
        self.dataWords = data
        self.pointers = pointers
    }

    package var words: Int { dataWords + pointers }

    init(word: UInt64) {
        dataWords = Int((word >> 32) & 0xffff)
        pointers = Int(word >> 48)
    }
}

extension Message {
    /// Follows the pointer stored at `location`.
    func pointer(at location: WordLocation, budget: ReadBudget) throws(CapnProtoError) -> Pointer {
        let word = try word(at: location)
        guard word != 0 else { return .null }
        switch word & 3 {
        case 2:
            return try farPointer(word, budget: budget)
        case 3:
            guard word & 0xffff_fffc == 0 else { throw .wrongPointerKind(expected: .capability) }
            return .capability(UInt32(truncatingIfNeeded: word >> 32))
        default:
            let offset = Int(Int32(truncatingIfNeeded: word) >> 2)
            let target = WordLocation(segment: location.segment, index: location.index + 1 + offset)
            return try near(word, target: target, budget: budget)
        }
    }

    /// A landing pad is either the real pointer (single far) or a far pointer to the content plus a tag (double far).
    private func farPointer(_ word: UInt64, budget: ReadBudget) throws(CapnProtoError) -> Pointer {
        let isDouble = word & 4 != 0
        let pad = farTarget(word)
        let first = try self.word(at: pad)
        guard isDouble else {
            guard first != 0, first & 3 < 2 else { throw .invalidFarPointer }
            return try pointer(at: pad, budget: budget)
        }
        let tag = try self.word(at: WordLocation(segment: pad.segment, index: pad.index + 1))
        guard first & 7 == 2, tag & 3 < 2, UInt32(truncatingIfNeeded: tag) >> 2 == 0 else { throw .invalidFarPointer }
        return try near(tag, target: farTarget(first), budget: budget)
    }

    private func farTarget(_ word: UInt64) -> WordLocation {
        WordLocation(segment: Int(word >> 32), index: Int((word & 0xffff_ffff) >> 3))
    }

    /// Struct and list pointers, whose target is already known.
    private func near(_ word: UInt64, target: WordLocation, budget: ReadBudget) throws(CapnProtoError) -> Pointer {
        guard word & 3 == 1 else {
            let size = StructSize(word: word)
            _ = try byteOffset(of: target, wordCount: size.words)
            try budget.spend(size.words)
            return .structure(target, size)
        }
        let count = Int(word >> 35)
        let code = UInt8((word >> 32) & 7)
        switch code {
        case 2:
            let words = (count + 7) / 8
            _ = try byteOffset(of: target, wordCount: words)
            try budget.spend(words)
            return .bytes(target, count: count)
        case 6:
            _ = try byteOffset(of: target, wordCount: count)
            try budget.spend(count)
            return .pointerList(target, count: count)
        case 7:
            return try structureList(at: target, words: count, budget: budget)
        default:
            throw .unsupportedListElement(code: code)
        }
    }

    private func structureList(
        at target: WordLocation, words: Int, budget: ReadBudget
    ) throws(CapnProtoError) -> Pointer {
        _ = try byteOffset(of: target, wordCount: words + 1)
        let tag = try word(at: target)
        guard tag & 3 == 0 else { throw .listSizeMismatch }
        let element = StructSize(word: tag)
        let count = Int((tag & 0xffff_ffff) >> 2)
        guard count * element.words == words else { throw .listSizeMismatch }
        // Elements without size take no words, so their number has to be paid for.
        try budget.spend(max(words + 1, count))
        return .structureList(
            WordLocation(segment: target.segment, index: target.index + 1), count: count, element: element)
    }
}
