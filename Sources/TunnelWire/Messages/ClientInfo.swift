package import CapnProto
package import FoundationEssentials

/// The connector process.
package struct ClientInfo: Equatable, Sendable {
    /// The connector id: made once per process, the same on all its connections.
    package var clientID: UUID
    /// A set; the order on the wire carries no meaning (tunnel-protocol section 5.6).
    package var features: [String]
    /// Release, such as `2026.8.2`.
    package var version: String
    /// Operating system and processor, such as `linux_amd64`.
    package var arch: String

    package init(clientID: UUID, features: [String], version: String, arch: String) {
        self.clientID = clientID
        self.features = features
        self.version = version
        self.arch = arch
    }
}

extension ClientInfo: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 0, pointers: 4)
    private static let maximumFeatures = 256

    package init(from fields: StructReader) throws(CapnProtoError) {
        clientID = try fields.pointer(0).uuid(field: "client id")
        features = try fields.pointer(1).texts(limit: Self.maximumFeatures)
        version = try fields.pointer(2).text()
        arch = try fields.pointer(3).text()
    }

    package func encode(to fields: inout StructWriter) {
        fields.setUUID(0, clientID)
        fields.setTexts(1, features)
        fields.setText(2, version)
        fields.setText(3, arch)
    }
}
