package import CapnProto

/// A key and a value that go with a data stream over QUIC (tunnel-protocol section 4.3).
package struct Metadata: Equatable, Sendable {
    package var key: String
    package var value: String

    package init(key: String, value: String) {
        self.key = key
        self.value = value
    }

    /// Far above what any request or response carries.
    static let maximumCount = 10_000
}

extension Metadata: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 0, pointers: 2)

    package init(from fields: StructReader) throws(CapnProtoError) {
        key = try fields.pointer(0).text()
        value = try fields.pointer(1).text()
    }

    package func encode(to fields: inout StructWriter) {
        fields.setText(0, key)
        fields.setText(1, value)
    }
}

extension PointerReader {
    func metadata() throws(CapnProtoError) -> [Metadata] {
        var metadata: [Metadata] = []
        for element in try structures(limit: Metadata.maximumCount) {
            metadata.append(try Metadata(from: element))
        }
        return metadata
    }
}
