package import CapnProto

/// What the edge asks of the connector at the head of a data stream over QUIC (tunnel-protocol section 4.3).
package struct ConnectRequest: Equatable, Sendable {
    package var destination: String
    package var kind: Kind
    package var metadata: [Metadata]

    /// The wire's ConnectionType. An official connector does not survive any other.
    package enum Kind: UInt16, Sendable {
        case http = 0
        case webSocket = 1
        case tcp = 2
    }

    package init(destination: String, kind: Kind, metadata: [Metadata] = []) {
        self.destination = destination
        self.kind = kind
        self.metadata = metadata
    }
}

extension ConnectRequest: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 2)

    package init(from fields: StructReader) throws(CapnProtoError) {
        let tag: UInt16 = fields.integer(at: 0)
        guard let kind = Kind(rawValue: tag) else { throw .unknownTag(field: "connection type", tag: tag) }
        self.kind = kind
        destination = try fields.pointer(0).text()
        metadata = try fields.pointer(1).metadata()
    }

    package func encode(to fields: inout StructWriter) {
        fields.set(kind.rawValue, at: 0)
        fields.setText(0, destination)
        fields.setStructures(1, metadata)
    }
}
