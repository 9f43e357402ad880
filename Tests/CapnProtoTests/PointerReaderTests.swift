import NIOCore
import Testing

@testable import CapnProto

struct PointerReaderTests {
    @Test func `a struct shorter than expected reads as defaults, a longer one is read in part`() throws {
        let root = try message(segments: [[Word.structure(offset: 0, data: 1, pointers: 0), 0x0102_0304_0506_0708]])
            .root()
            .structure()
        #expect(root.integer(at: 0, as: UInt16.self) == 0x0708)
        #expect(root.integer(at: 7, as: UInt8.self) == 1)
        #expect(root.integer(at: 8, as: UInt64.self) == 0)
        #expect(root.integer(at: 6, as: UInt32.self) == 0)
        #expect(!root.bit(0, at: 100))
        #expect(try root.pointer(0).isNull)
        #expect(try root.pointer(3).text() == "")
        #expect(try root.pointer(3).data().readableBytes == 0)
        #expect(try root.pointer(3).structures(limit: 1).isEmpty)
        #expect(try root.pointer(3).structure().integer(at: 0, as: UInt32.self) == 0)
        #expect(try root.pointer(3).capability() == nil)
    }

    @Test func `the struct without size points before itself`() throws {
        let root = try message(segments: [[0x0000_0000_ffff_fffc]]).root()
        #expect(try !root.isNull)
        #expect(try root.structure().integer(at: 0, as: UInt64.self) == 0)
    }

    @Test func `a far pointer leads to a pointer in another segment`() throws {
        let message = try message(segments: [
            [Word.far(segment: 1, word: 1)], [0, Word.structure(offset: 0, data: 1, pointers: 0), 42],
        ])
        #expect(try message.root().structure().integer(at: 0, as: UInt64.self) == 42)
    }

    @Test func `a double far pointer leads to a pad that tells where and what`() throws {
        let message = try message(segments: [
            [Word.far(segment: 2, word: 0, double: true)], [7, 42],
            [Word.far(segment: 1, word: 1), Word.structure(offset: 0, data: 1, pointers: 0)],
        ])
        #expect(try message.root().structure().integer(at: 0, as: UInt64.self) == 42)
        let text = try CapnProtoTests.message(segments: [
            [Word.far(segment: 2, word: 0, double: true)], [0x00_6f6c_6c65_68],
            [Word.far(segment: 1, word: 0), Word.list(offset: 0, code: 2, count: 6)],
        ])
        #expect(try text.root().text() == "hello")
    }

    @Test(
        arguments: [
            // The pad of a single far pointer is itself far, or empty, or a capability.
            [[Word.far(segment: 1, word: 0)], [Word.far(segment: 0, word: 0)]],
            [[Word.far(segment: 0, word: 0)]],
            [[Word.far(segment: 1, word: 0)], [0]],
            [[Word.far(segment: 1, word: 0)], [Word.capability(0)]],
            // The pad of a double far pointer is not far, is double far, or has a tag with an offset or of a far kind.
            [[Word.far(segment: 1, word: 0, double: true)], [0, 0]],
            [[Word.far(segment: 1, word: 0, double: true)], [Word.far(segment: 1, word: 0, double: true), 0]],
            [
                [Word.far(segment: 1, word: 0, double: true)],
                [Word.far(segment: 0, word: 0), Word.far(segment: 0, word: 0)],
            ],
            [
                [Word.far(segment: 1, word: 0, double: true)],
                [Word.far(segment: 0, word: 0), Word.structure(offset: 1, data: 0, pointers: 0)],
            ],
        ] as [[[UInt64]]])
    func `a far pointer to anything but its pad is refused`(_ segments: [[UInt64]]) throws {
        let root = try message(segments: segments).root()
        #expect(throws: CapnProtoError.invalidFarPointer) { _ = try root.structure() }
    }

    @Test(
        arguments: [
            [[Word.structure(offset: 0, data: 1, pointers: 0)]],
            [[Word.structure(offset: -2, data: 0, pointers: 0)]],
            [[Word.structure(offset: 0x1fff_ffff, data: 0, pointers: 0)]],
            [[Word.structure(offset: -0x2000_0000, data: 0xffff, pointers: 0xffff)]],
            [[Word.list(offset: 0, code: 2, count: 1)]],
            [[Word.list(offset: 0, code: 2, count: 0x1fff_ffff)]],
            [[Word.list(offset: 0, code: 6, count: 1)]],
            [[Word.list(offset: 0, code: 7, count: 0)]],
            [[Word.list(offset: 0, code: 7, count: 1), Word.tag(count: 1, data: 1, pointers: 0)]],
            [[Word.far(segment: 1, word: 0)]],
            [[Word.far(segment: 0xffff_ffff, word: 0x1fff_ffff)]],
            [[Word.far(segment: 1, word: 1)], [0]],
            [[Word.far(segment: 1, word: 0, double: true)], [0]],
            // Nothing may reach over the end of a segment into the next one.
            [[Word.structure(offset: 0, data: 1, pointers: 0)], [42]],
        ] as [[[UInt64]]])
    func `a pointer out of its segment is refused`(_ segments: [[UInt64]]) throws {
        let root = try message(segments: segments).root()
        #expect(throws: CapnProtoError.pointerOutOfBounds) { _ = try root.structure() }
        #expect(throws: CapnProtoError.pointerOutOfBounds) { _ = try root.data() }
    }

    @Test func `a field of another kind is refused`() throws {
        let structure = try message(segments: [[Word.structure(offset: -1, data: 0, pointers: 0)]]).root()
        #expect(throws: CapnProtoError.wrongPointerKind(expected: .bytes)) { _ = try structure.text() }
        #expect(throws: CapnProtoError.wrongPointerKind(expected: .pointerList)) { _ = try structure.texts(limit: 1) }
        #expect(throws: CapnProtoError.wrongPointerKind(expected: .structureList)) {
            _ = try structure.structures(limit: 1)
        }
        #expect(throws: CapnProtoError.wrongPointerKind(expected: .capability)) { _ = try structure.capability() }
        let capability = try message(segments: [[Word.capability(3)]]).root()
        #expect(try capability.capability() == 3)
        #expect(throws: CapnProtoError.wrongPointerKind(expected: .structure)) { _ = try capability.structure() }
        let other = try message(segments: [[Word.capability(3) | 4]]).root()
        #expect(throws: CapnProtoError.wrongPointerKind(expected: .capability)) { _ = try other.capability() }
    }

    @Test(arguments: [0, 1, 3, 4, 5] as [UInt64])
    func `lists of numbers are refused`(_ code: UInt64) throws {
        let root = try message(segments: [[Word.list(offset: 0, code: code, count: 1), 0]]).root()
        #expect(throws: CapnProtoError.unsupportedListElement(code: UInt8(code))) { _ = try root.data() }
    }

    @Test func `text ends with a zero`() throws {
        func text(_ count: UInt64) throws -> PointerReader {
            try message(segments: [[Word.list(offset: 0, code: 2, count: count), 0x00_6f6c_6c65_68]]).root()
        }
        #expect(try text(6).text() == "hello")
        #expect(throws: CapnProtoError.textNotTerminated) { _ = try text(5).text() }
        #expect(throws: CapnProtoError.textNotTerminated) { _ = try text(0).text() }
        let notUTF8 = try message(segments: [[Word.list(offset: 0, code: 2, count: 3), 0xff61]]).root()
        #expect(try notUTF8.text() == "a\u{fffd}")
    }

    @Test func `elements fill their list exactly`() throws {
        func list(words: UInt64, tag: UInt64) throws -> PointerReader {
            try message(segments: [[Word.list(offset: 0, code: 7, count: words), tag, 1, 2, 3, 4]]).root()
        }
        let good = try list(words: 4, tag: Word.tag(count: 2, data: 1, pointers: 1)).structures(limit: 2)
        #expect(good.map { $0.integer(at: 0, as: UInt64.self) } == [1, 3])
        #expect(throws: CapnProtoError.listTooLong(count: 2, limit: 1)) {
            _ = try list(words: 4, tag: Word.tag(count: 2, data: 1, pointers: 1)).structures(limit: 1)
        }
        for tag in [
            Word.tag(count: 1, data: 1, pointers: 1), Word.tag(count: 3, data: 1, pointers: 1),
            Word.tag(count: 0x3fff_ffff, data: 0xffff, pointers: 0xffff), Word.tag(count: 4, data: 1, pointers: 0) | 1,
        ] {
            #expect(throws: CapnProtoError.listSizeMismatch) { _ = try list(words: 4, tag: tag).structures(limit: 9) }
        }
    }

    // MARK: - Pointer bombs

    @Test func `a list of countless elements without size runs out of budget`() throws {
        let root = try message(segments: [
            [Word.list(offset: 0, code: 7, count: 0), Word.tag(count: 0x3fff_ffff, data: 0, pointers: 0)]
        ]).root()
        #expect(throws: CapnProtoError.traversalLimitExceeded) { _ = try root.structures(limit: .max) }
    }

    @Test func `many pointers to the same large thing run out of budget`() throws {
        // A list of 100 pointers that all lead to one text of 100 words: 10000 words in a message of about 200.
        var words = [Word.list(offset: 0, code: 6, count: 100)]
        for index in 0..<100 {
            words.append(Word.list(offset: Int32(99 - index), code: 2, count: 800))
        }
        words += Array(repeating: 0, count: 100)
        let message = try message(segments: [words])
        #expect(throws: CapnProtoError.traversalLimitExceeded) { _ = try message.root().texts(limit: 1000) }
        let generous = ReadLimits(traversalWords: 100_000, depth: 64)
        #expect(try message.root(limits: generous).texts(limit: 1000).count == 100)
    }

    @Test func `a struct that contains itself is left at the 64th level`() throws {
        var reader = try message(segments: [
            [Word.structure(offset: 0, data: 0, pointers: 1), Word.structure(offset: -1, data: 0, pointers: 1)]
        ])
        .root(limits: ReadLimits(traversalWords: 1000, depth: 64))
        var depth = 0
        let error = #expect(throws: CapnProtoError.self) {
            while true {
                reader = try reader.structure().pointer(0)
                depth += 1
            }
        }
        #expect(error == .nestingTooDeep)
        #expect(depth == 64)
    }

    @Test func `the budget of a message is eight times its size, and at most 64 MiB`() {
        #expect(ReadLimits.standard(forMessageBytes: 1024) == ReadLimits(traversalWords: 1024, depth: 64))
        #expect(ReadLimits.standard(forMessageBytes: 16 << 20).traversalWords == 8 << 20)
    }
}
