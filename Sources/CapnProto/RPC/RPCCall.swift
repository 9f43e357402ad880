/// Asks for the peer's main capability.
package struct RPCBootstrap: Equatable, Sendable {
    package var questionID: UInt32

    package init(questionID: UInt32) {
        self.questionID = questionID
    }
}

/// A method call.
package struct RPCCall<Content> {
    package var questionID: UInt32
    package var target: RPCTarget
    package var interfaceID: UInt64
    package var methodID: UInt16
    package var parameters: RPCPayload<Content>

    package init(
        questionID: UInt32, target: RPCTarget, interfaceID: UInt64, methodID: UInt16, parameters: RPCPayload<Content>
    ) {
        self.questionID = questionID
        self.target = target
        self.interfaceID = interfaceID
        self.methodID = methodID
        self.parameters = parameters
    }
}

/// What a call is made on.
package enum RPCTarget: Equatable, Sendable {
    /// A capability that the receiver of the call exports.
    case importedCapability(UInt32)
    /// The result of a question that may still be open.
    case promisedAnswer(RPCPromisedAnswer)
    case unknown(tag: UInt16)
}

/// A place in the answer to a question: pipelining.
package struct RPCPromisedAnswer: Equatable, Sendable {
    package var questionID: UInt32
    package var transform: [Step]

    /// How to get from the answer's content to the capability.
    package enum Step: Equatable, Sendable {
        case none
        case pointerField(UInt16)
    }

    package init(questionID: UInt32, transform: [Step] = []) {
        self.questionID = questionID
        self.transform = transform
    }

    /// Whether the answer's content itself is meant.
    package var isWhole: Bool { transform.allSatisfy { $0 == .none } }
}

extension RPCBootstrap: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 1)

    package init(from fields: StructReader) throws(CapnProtoError) {
        questionID = fields.integer(at: 0)
    }

    package func encode(to fields: inout StructWriter) {
        fields.set(questionID, at: 0)
    }
}

extension RPCCall: StructDecodable where Content == PointerReader {
    package init(from fields: StructReader) throws(CapnProtoError) {
        questionID = fields.integer(at: 0)
        methodID = fields.integer(at: 4)
        interfaceID = fields.integer(at: 8)
        target = try fields.structure(0)
        parameters = try fields.structure(1)
    }
}

extension RPCCall: StructEncodable where Content == RPCContent {
    package static var structSize: StructSize { StructSize(data: 3, pointers: 3) }

    package func encode(to fields: inout StructWriter) {
        fields.set(questionID, at: 0)
        fields.set(methodID, at: 4)
        fields.set(interfaceID, at: 8)
        fields.setStructure(0, target)
        fields.setStructure(1, parameters)
    }
}

extension RPCTarget: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 1)

    package init(from fields: StructReader) throws(CapnProtoError) {
        switch fields.integer(at: 4, as: UInt16.self) {
        case 0: self = .importedCapability(fields.integer(at: 0))
        case 1: self = .promisedAnswer(try fields.structure(0))
        case let tag: self = .unknown(tag: tag)
        }
    }

    package func encode(to fields: inout StructWriter) {
        switch self {
        case .importedCapability(let id):
            fields.set(id, at: 0)
        case .promisedAnswer(let answer):
            fields.set(UInt16(1), at: 4)
            fields.setStructure(0, answer)
        case .unknown(let tag):
            fields.set(tag, at: 4)
        }
    }
}

extension RPCPromisedAnswer: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 1)
    private static let maximumSteps = 64

    package init(from fields: StructReader) throws(CapnProtoError) {
        questionID = fields.integer(at: 0)
        transform = []
        for step in try fields.pointer(0).structures(limit: Self.maximumSteps) {
            transform.append(try Step(from: step))
        }
    }

    package func encode(to fields: inout StructWriter) {
        fields.set(questionID, at: 0)
        fields.setStructures(0, transform)
    }
}

extension RPCPromisedAnswer.Step: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 0)

    package init(from fields: StructReader) throws(CapnProtoError) {
        switch fields.integer(at: 0, as: UInt16.self) {
        case 0: self = .none
        case 1: self = .pointerField(fields.integer(at: 2))
        case let tag: throw .unknownTag(field: "promised answer", tag: tag)
        }
    }

    package func encode(to fields: inout StructWriter) {
        guard case .pointerField(let field) = self else { return }
        fields.set(UInt16(1), at: 0)
        fields.set(field, at: 2)
    }
}
