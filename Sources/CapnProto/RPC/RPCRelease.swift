/// The sender gives back references to a capability of the receiver.
package struct RPCRelease: Equatable, Sendable {
    package var id: UInt32
    package var referenceCount: UInt32

    package init(id: UInt32, referenceCount: UInt32) {
        self.id = id
        self.referenceCount = referenceCount
    }
}

/// What a promise has become.
package struct RPCResolve: Equatable, Sendable {
    package var promiseID: UInt32
    package var outcome: Outcome

    package enum Outcome: Equatable, Sendable {
        case capability(RPCCapabilityDescriptor)
        case exception(RPCException)
        case unknown(tag: UInt16)
    }

    package init(promiseID: UInt32, outcome: Outcome) {
        self.promiseID = promiseID
        self.outcome = outcome
    }
}

/// Keeps calls in order when a path gets shorter. Only decoded: it cannot arise in the tunnel's exchanges.
package struct RPCDisembargo: Equatable, Sendable {
    package var id: UInt32
    package var context: UInt16
    package var target: RPCTarget

    package init(id: UInt32, context: UInt16, target: RPCTarget) {
        self.id = id
        self.context = context
        self.target = target
    }
}

extension RPCRelease: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 0)

    package init(from fields: StructReader) throws(CapnProtoError) {
        id = fields.integer(at: 0)
        referenceCount = fields.integer(at: 4)
    }

    package func encode(to fields: inout StructWriter) {
        fields.set(id, at: 0)
        fields.set(referenceCount, at: 4)
    }
}

extension RPCResolve: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 1)

    package init(from fields: StructReader) throws(CapnProtoError) {
        promiseID = fields.integer(at: 0)
        switch fields.integer(at: 4, as: UInt16.self) {
        case 0: outcome = .capability(try fields.structure(0))
        case 1: outcome = .exception(try fields.structure(0))
        case let tag: outcome = .unknown(tag: tag)
        }
    }

    package func encode(to fields: inout StructWriter) {
        fields.set(promiseID, at: 0)
        switch outcome {
        case .capability(let descriptor):
            fields.setStructure(0, descriptor)
        case .exception(let exception):
            fields.set(UInt16(1), at: 4)
            fields.setStructure(0, exception)
        case .unknown(let tag):
            fields.set(tag, at: 4)
        }
    }
}

extension RPCDisembargo: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 1)

    package init(from fields: StructReader) throws(CapnProtoError) {
        id = fields.integer(at: 0)
        context = fields.integer(at: 4)
        target = try fields.structure(0)
    }

    package func encode(to fields: inout StructWriter) {
        fields.set(id, at: 0)
        fields.set(context, at: 4)
        fields.setStructure(0, target)
    }
}
