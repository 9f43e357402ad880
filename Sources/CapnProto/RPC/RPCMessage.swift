package import NIOCore

/// The envelope of the RPC protocol (tunnel-protocol section 3.2). `Content` is what a payload carries: a `PointerReader`
/// in a received message, an `RPCContent` in one to be sent.
package enum RPCMessage<Content> {
    /// The peer did not understand a message of ours.
    case unimplemented
    case abort(RPCException)
    case call(RPCCall<Content>)
    case `return`(RPCReturn<Content>)
    case finish(RPCFinish)
    case resolve(RPCResolve)
    case release(RPCRelease)
    case bootstrap(RPCBootstrap)
    case disembargo(RPCDisembargo)
    /// Obsolete kinds, those of levels 2 to 4, and those not invented yet. To be answered with `unimplemented(echoing:)`.
    case unknown(tag: UInt16)
}

/// What a message to be sent carries in a payload.
package enum RPCContent {
    case null
    case structure(any StructEncodable)
    /// An index into the payload's own capability table.
    case capability(index: UInt32)
}

/// A struct without fields: the parameters or results of a method that has none.
package struct EmptyStruct: StructEncodable, Equatable, Sendable {
    package static let structSize = StructSize(data: 0, pointers: 0)

    package init() {}

    package func encode(to fields: inout StructWriter) {}
}

extension RPCMessage: StructDecodable where Content == PointerReader {
    package init(from fields: StructReader) throws(CapnProtoError) {
        switch fields.integer(at: 0, as: UInt16.self) {
        case 0: self = .unimplemented
        case 1: self = .abort(try fields.structure(0))
        case 2: self = .call(try fields.structure(0))
        case 3: self = .return(try fields.structure(0))
        case 4: self = .finish(try fields.structure(0))
        case 5: self = .resolve(try fields.structure(0))
        case 6: self = .release(try fields.structure(0))
        case 8: self = .bootstrap(try fields.structure(0))
        case 13: self = .disembargo(try fields.structure(0))
        case let tag: self = .unknown(tag: tag)
        }
    }
}

extension RPCMessage: StructEncodable where Content == RPCContent {
    package static var structSize: StructSize { StructSize(data: 1, pointers: 1) }

    package func encode(to fields: inout StructWriter) {
        fields.set(tag, at: 0)
        switch self {
        case .unimplemented, .unknown: break
        case .abort(let body): fields.setStructure(0, body)
        case .call(let body): fields.setStructure(0, body)
        case .return(let body): fields.setStructure(0, body)
        case .finish(let body): fields.setStructure(0, body)
        case .resolve(let body): fields.setStructure(0, body)
        case .release(let body): fields.setStructure(0, body)
        case .bootstrap(let body): fields.setStructure(0, body)
        case .disembargo(let body): fields.setStructure(0, body)
        }
    }

    private var tag: UInt16 {
        switch self {
        case .unimplemented: 0
        case .abort: 1
        case .call: 2
        case .return: 3
        case .finish: 4
        case .resolve: 5
        case .release: 6
        case .bootstrap: 8
        case .disembargo: 13
        case .unknown(let tag): tag
        }
    }

    /// The answer to a message that was not understood: `unimplemented`, with that message inside.
    ///
    /// Pointers are relative, so the one segment of the original is taken as it is, behind a new root. A message of several
    /// segments has absolute ones; of that, and of a large one, only the kind is told.
    package static func unimplemented(echoing message: Message, tag: UInt16) throws(CapnProtoError) -> ByteBuffer {
        guard message.segments.count == 1, message.byteCount <= 4096,
            let root = message.words.getInteger(
                at: message.words.readerIndex, endianness: .little, as: UInt64.self), root & 3 == 0
        else { return try UnimplementedMessage(tag: tag).encodeMessage() }
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(
            UInt32(0), UInt32(truncatingIfNeeded: 3 + message.segments[0].wordCount),
            UInt64(0x0001_0001_0000_0000), UInt64(0), endianness: .little)
        // The pointer that was the first word of its segment moves one word up, so it leads one word further.
        bytes.writeInteger(root &+ 4, endianness: .little)
        bytes.writeImmutableBuffer(message.words)
        return bytes
    }
}

/// `unimplemented` around a message of which only the kind is told.
private struct UnimplementedMessage: StructEncodable {
    static let structSize = StructSize(data: 1, pointers: 1)
    var tag: UInt16

    func encode(to fields: inout StructWriter) {
        fields.setStructure(0, RPCMessage<RPCContent>.unknown(tag: tag))
    }
}
