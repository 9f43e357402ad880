package import CapnProto

/// The connector's answer at the head of a data stream over QUIC (tunnel-protocol section 4.3).
package struct ConnectResponse: Equatable, Sendable {
    /// Empty when the connection stands. Untrusted text otherwise.
    package var error: String
    package var metadata: [Metadata]

    package init(error: String = "", metadata: [Metadata] = []) {
        self.error = error
        self.metadata = metadata
    }
}

extension ConnectResponse: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 0, pointers: 2)

    package init(from fields: StructReader) throws(CapnProtoError) {
        error = try fields.pointer(0).text()
        metadata = try fields.pointer(1).metadata()
    }

    package func encode(to fields: inout StructWriter) {
        fields.setText(0, error)
        fields.setStructures(1, metadata)
    }
}
