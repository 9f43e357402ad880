import NIOCore

/// One received message: its segments, not yet interpreted. A slice of the bytes it came in, nothing is copied.
package struct Message: Equatable, Sendable {
    /// The segments one after the other, without the stream header.
    let words: ByteBuffer
    let segments: [Segment]

    struct Segment: Equatable, Sendable {
        /// Offset of its first byte in `words`.
        var start: Int
        var wordCount: Int
    }

    /// Bytes of all segments together.
    package var byteCount: Int { words.readableBytes }

    /// Starts reading. Each call has a budget of its own.
    ///
    /// - Throws: `.emptyMessage`; everything else is found while reading.
    package func root(limits: ReadLimits? = nil) throws(CapnProtoError) -> PointerReader {
        guard let first = segments.first, first.wordCount > 0 else { throw .emptyMessage }
        let limits = limits ?? .standard(forMessageBytes: byteCount)
        return PointerReader(
            message: self, budget: ReadBudget(words: limits.traversalWords),
            location: WordLocation(segment: 0, index: 0),
            depth: limits.depth)
    }

    func word(at location: WordLocation) throws(CapnProtoError) -> UInt64 {
        let offset = try byteOffset(of: location, wordCount: 1)
        guard let word = words.getInteger(at: offset, endianness: .little, as: UInt64.self) else {
            throw .pointerOutOfBounds
        }
        return word
    }

    /// The place in `words` of a stretch that must lie within one segment.
    func byteOffset(of location: WordLocation, wordCount: Int) throws(CapnProtoError) -> Int {
        guard segments.indices.contains(location.segment) else { throw .pointerOutOfBounds }
        let segment = segments[location.segment]
        guard location.index >= 0, wordCount >= 0, location.index <= segment.wordCount - wordCount else {
            throw .pointerOutOfBounds
        }
        return words.readerIndex + segment.start + location.index * 8
    }
}

/// How far a reader follows pointers before it calls the message an attack (tunnel-protocol section 3.8).
package struct ReadLimits: Equatable, Sendable {
    /// Sum of the words reached by pointers, re-visits counted.
    package var traversalWords: Int
    /// Pointers followed one inside the other. The messages of the tunnel need about 8.
    package var depth: Int

    package init(traversalWords: Int, depth: Int) {
        self.traversalWords = traversalWords
        self.depth = depth
    }

    /// Eight times the message, at most 64 MiB; 64 levels.
    package static func standard(forMessageBytes bytes: Int) -> ReadLimits {
        ReadLimits(traversalWords: min(8 * bytes, 64 << 20) / 8, depth: 64)
    }
}

/// A word inside a message.
struct WordLocation: Equatable, Sendable {
    var segment: Int
    var index: Int
}

/// What is left of `ReadLimits.traversalWords`: one object for all readers of a message, confined to one decoding.
final class ReadBudget {
    private var words: Int

    init(words: Int) {
        self.words = words
    }

    /// Even what occupies nothing costs a word, so that a pointer bomb of empty things runs out too.
    func spend(_ count: Int) throws(CapnProtoError) {
        let cost = max(1, count)
        guard cost <= words else { throw .traversalLimitExceeded }
        words -= cost
    }
}
