/// Parameters or results, with the capabilities they mention.
package struct RPCPayload<Content> {
    package var content: Content
    package var capabilities: [RPCCapabilityDescriptor]

    package init(_ content: Content, capabilities: [RPCCapabilityDescriptor] = []) {
        self.content = content
        self.capabilities = capabilities
    }
}

/// Who hosts a capability, seen from the sender of the message.
package enum RPCCapabilityDescriptor: Equatable, Sendable {
    case none
    case senderHosted(UInt32)
    case senderPromise(UInt32)
    case receiverHosted(UInt32)
    case receiverAnswer(RPCPromisedAnswer)
    case unknown(tag: UInt16)
}

extension RPCPayload: StructDecodable where Content == PointerReader {
    /// The messages of the tunnel carry one capability at most; the bound keeps a hostile table small.
    private static var maximumCapabilities: Int { 64 }

    package init(from fields: StructReader) throws(CapnProtoError) {
        content = fields.pointer(0)
        capabilities = []
        for descriptor in try fields.pointer(1).structures(limit: Self.maximumCapabilities) {
            capabilities.append(try RPCCapabilityDescriptor(from: descriptor))
        }
    }

    /// The descriptor behind the capability that is the whole content, nil when the content is none.
    package func capability() throws(CapnProtoError) -> RPCCapabilityDescriptor? {
        guard let index = try content.capability(), index < capabilities.count else { return nil }
        return capabilities[Int(index)]
    }
}

extension RPCPayload: StructEncodable where Content == RPCContent {
    package static var structSize: StructSize { StructSize(data: 0, pointers: 2) }

    package func encode(to fields: inout StructWriter) {
        switch content {
        case .null: break
        case .structure(let value): fields.setStructure(0, value)
        case .capability(let index): fields.setCapability(0, index: index)
        }
        fields.setStructures(1, capabilities)
    }
}

extension RPCCapabilityDescriptor: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 1)

    package init(from fields: StructReader) throws(CapnProtoError) {
        let id: UInt32 = fields.integer(at: 4)
        switch fields.integer(at: 0, as: UInt16.self) {
        case 0: self = .none
        case 1: self = .senderHosted(id)
        case 2: self = .senderPromise(id)
        case 3: self = .receiverHosted(id)
        case 4: self = .receiverAnswer(try fields.structure(0))
        case let tag: self = .unknown(tag: tag)
        }
    }

    package func encode(to fields: inout StructWriter) {
        switch self {
        case .none: break
        case .senderHosted(let id): set(1, id, &fields)
        case .senderPromise(let id): set(2, id, &fields)
        case .receiverHosted(let id): set(3, id, &fields)
        case .receiverAnswer(let answer):
            set(4, 0, &fields)
            fields.setStructure(0, answer)
        case .unknown(let tag): set(tag, 0, &fields)
        }
    }

    private func set(_ tag: UInt16, _ id: UInt32, _ fields: inout StructWriter) {
        fields.set(tag, at: 0)
        fields.set(id, at: 4)
    }
}
