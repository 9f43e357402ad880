import NIOCore
import Testing

@testable import CapnProto

struct StructWriterTests {
    /// One field of each kind.
    private struct Sample: StructEncodable, Equatable {
        static let structSize = StructSize(data: 2, pointers: 6)
        var texts: [String] = []
        var text = ""
        var data: [UInt8] = []
        var steps: [RPCPromisedAnswer.Step] = []

        func encode(to fields: inout StructWriter) {
            fields.set(UInt8(0xab), at: 0)
            fields.setBit(5, at: 1, to: true)
            fields.set(Int64(-2), at: 8)
            fields.setText(0, text)
            fields.setData(1, data)
            fields.setTexts(2, texts)
            fields.setStructures(3, steps)
            fields.setCapability(4, index: 9)
            fields.setStructure(5, EmptyStruct())
        }
    }

    @Test(arguments: 0...24)
    func `what is written is read again, whatever its length`(_ count: Int) throws {
        let sample = Sample(
            texts: (0..<count).map { String(repeating: "x", count: $0) }, text: String(repeating: "é", count: count),
            data: Array(repeating: 7, count: count), steps: (0..<count).map { .pointerField(UInt16($0)) })
        let message = try #require(try message(sample.encodeMessage()))
        #expect(message.byteCount % 8 == 0)
        let fields = try message.root().structure()
        #expect(fields.integer(at: 0, as: UInt8.self) == 0xab)
        #expect(fields.bit(5, at: 1))
        #expect(!fields.bit(4, at: 1))
        #expect(fields.integer(at: 8, as: Int64.self) == -2)
        #expect(try fields.pointer(0).text() == sample.text)
        #expect(try fields.pointer(1).data() == ByteBuffer(bytes: sample.data))
        #expect(try fields.pointer(2).texts(limit: 24) == sample.texts)
        #expect(
            try fields.pointer(3).structures(limit: 24).map { try RPCPromisedAnswer.Step(from: $0) } == sample.steps)
        #expect(try fields.pointer(4).capability() == 9)
        #expect(try !fields.pointer(5).isNull)
    }

    @Test func `a message of just the limit is written, a word more is refused`() throws {
        let sample = Sample(data: Array(repeating: 1, count: 100))
        let whole = try sample.encodeMessage()
        let size = whole.readableBytes - 8
        #expect(try sample.encodeMessage(limit: size) == whole)
        for limit in 0..<size {
            let error = #expect(throws: CapnProtoError.self) { try sample.encodeMessage(limit: limit) }
            guard case .messageTooLarge(limit...size, limit) = error else { throw Unexpected() }
        }
    }
}
