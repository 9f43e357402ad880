package import CapnProto
package import FoundationEssentials

/// The edge accepted a registration.
package struct ConnectionDetails: Equatable, Sendable {
    /// Names this connection at the edge.
    package var uuid: UUID
    /// Where the edge is, free text such as an airport code.
    package var locationName: String
    /// Whether ingress rules come from the account and not from the connector's own configuration.
    package var tunnelIsRemotelyManaged: Bool

    package init(uuid: UUID, locationName: String, tunnelIsRemotelyManaged: Bool = false) {
        self.uuid = uuid
        self.locationName = locationName
        self.tunnelIsRemotelyManaged = tunnelIsRemotelyManaged
    }
}

extension ConnectionDetails: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 2)

    package init(from fields: StructReader) throws(CapnProtoError) {
        uuid = try fields.pointer(0).uuid(field: "connection id")
        locationName = try fields.pointer(1).text()
        tunnelIsRemotelyManaged = fields.bit(0, at: 0)
    }

    package func encode(to fields: inout StructWriter) {
        fields.setBit(0, at: 0, to: tunnelIsRemotelyManaged)
        fields.setUUID(0, uuid)
        fields.setText(1, locationName)
    }
}
