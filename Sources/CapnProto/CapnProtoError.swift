/// Why bytes are not an acceptable Cap'n Proto message, or why a value does not fit into one.
///
/// Every case means that the message is lost; the stream it came on cannot be trusted any further.
package enum CapnProtoError: Error, Equatable, Sendable {
    /// The header announces more segments than allowed.
    case tooManySegments(count: Int, limit: Int)
    /// The header announces, or a value needs, more bytes than allowed.
    case messageTooLarge(bytes: Int, limit: Int)
    /// A message without a root pointer.
    case emptyMessage
    /// A pointer leads outside its segment, or to a segment that does not exist.
    case pointerOutOfBounds
    /// A pointer of another kind than the field calls for.
    case wrongPointerKind(expected: PointerKind)
    /// A list whose elements are encoded in a way that no message of this protocol uses.
    case unsupportedListElement(code: UInt8)
    /// A composite list whose elements do not fill exactly the words it claims.
    case listSizeMismatch
    case listTooLong(count: Int, limit: Int)
    /// A landing pad that is itself far, empty, or of the wrong form.
    case invalidFarPointer
    case textNotTerminated
    /// More words were reached by following pointers than a message of this size can honestly hold.
    case traversalLimitExceeded
    case nestingTooDeep
    /// A union member that this protocol does not have.
    case unknownTag(field: String, tag: UInt16)
    /// A byte field of fixed length, such as an identifier, with another length.
    case wrongLength(field: String, length: Int)

    /// What a field expected of a pointer.
    package enum PointerKind: Equatable, Sendable {
        case structure
        case bytes
        case pointerList
        case structureList
        case capability
    }
}

extension CapnProtoError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooManySegments(let count, let limit): "message of \(count) segments, at most \(limit) are accepted"
        case .messageTooLarge(let bytes, let limit): "message of \(bytes) bytes, at most \(limit) are accepted"
        case .emptyMessage: "message without content"
        case .pointerOutOfBounds: "pointer out of bounds"
        case .wrongPointerKind(let expected): "pointer does not lead to a \(expected)"
        case .unsupportedListElement(let code): "list with elements of unsupported size code \(code)"
        case .listSizeMismatch: "list elements do not match the size of the list"
        case .listTooLong(let count, let limit): "list of \(count) elements, at most \(limit) are accepted"
        case .invalidFarPointer: "invalid far pointer"
        case .textNotTerminated: "text without a terminating zero"
        case .traversalLimitExceeded: "message reaches more data than it can hold"
        case .nestingTooDeep: "message nested too deeply"
        case .unknownTag(let field, let tag): "\(field) has the unknown variant \(tag)"
        case .wrongLength(let field, let length): "\(field) has \(length) bytes, which is not its length"
        }
    }
}
