/// The answer to a call or a bootstrap.
package struct RPCReturn<Content> {
    package var answerID: UInt32
    /// Whether the caller's capabilities in the parameters are given back by this message.
    package var releasesParameterCapabilities: Bool
    package var outcome: Outcome

    package enum Outcome {
        case results(RPCPayload<Content>)
        case exception(RPCException)
        case canceled
        /// Forms that only more than two parties, or tail calls, give rise to.
        case elsewhere(tag: UInt16)
    }

    package init(answerID: UInt32, outcome: Outcome, releasesParameterCapabilities: Bool = false) {
        self.answerID = answerID
        self.releasesParameterCapabilities = releasesParameterCapabilities
        self.outcome = outcome
    }
}

/// The caller needs an answer no longer; its number is free once the answer has arrived too.
package struct RPCFinish: Equatable, Sendable {
    package var questionID: UInt32
    /// Whether the capabilities in the results are given back by this message.
    package var releasesResultCapabilities: Bool

    package init(questionID: UInt32, releasesResultCapabilities: Bool) {
        self.questionID = questionID
        self.releasesResultCapabilities = releasesResultCapabilities
    }
}

/// Why a call failed, or why the connection ends.
package struct RPCException: Equatable, Sendable, Error {
    package var kind: Kind
    package var reason: String

    package enum Kind: UInt16, Sendable {
        case failed = 0
        case overloaded = 1
        case disconnected = 2
        case unimplemented = 3
    }

    package init(_ reason: String, kind: Kind = .failed) {
        self.kind = kind
        self.reason = reason
    }
}

extension RPCReturn: StructDecodable where Content == PointerReader {
    package init(from fields: StructReader) throws(CapnProtoError) {
        answerID = fields.integer(at: 0)
        releasesParameterCapabilities = !fields.bit(0, at: 4)
        switch fields.integer(at: 6, as: UInt16.self) {
        case 0: outcome = .results(try fields.structure(0))
        case 1: outcome = .exception(try fields.structure(0))
        case 2: outcome = .canceled
        case let tag: outcome = .elsewhere(tag: tag)
        }
    }
}

extension RPCReturn: StructEncodable where Content == RPCContent {
    package static var structSize: StructSize { StructSize(data: 2, pointers: 1) }

    package func encode(to fields: inout StructWriter) {
        fields.set(answerID, at: 0)
        fields.setBit(0, at: 4, to: !releasesParameterCapabilities)
        switch outcome {
        case .results(let payload):
            fields.setStructure(0, payload)
        case .exception(let exception):
            fields.set(UInt16(1), at: 6)
            fields.setStructure(0, exception)
        case .canceled:
            fields.set(UInt16(2), at: 6)
        case .elsewhere(let tag):
            fields.set(tag, at: 6)
        }
    }
}

extension RPCFinish: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 0)

    package init(from fields: StructReader) throws(CapnProtoError) {
        questionID = fields.integer(at: 0)
        releasesResultCapabilities = !fields.bit(0, at: 4)
    }

    package func encode(to fields: inout StructWriter) {
        fields.set(questionID, at: 0)
        fields.setBit(0, at: 4, to: !releasesResultCapabilities)
    }
}

extension RPCException: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 1)

    package init(from fields: StructReader) throws(CapnProtoError) {
        // A kind not invented yet is a failure like any other.
        kind = Kind(rawValue: fields.integer(at: 4)) ?? .failed
        reason = try fields.pointer(0).text()
    }

    package func encode(to fields: inout StructWriter) {
        fields.set(kind.rawValue, at: 4)
        fields.setText(0, reason)
    }
}
