package import CapnProto
package import FoundationEssentials

/// The parameters of `registerConnection`: a connector asks to serve a tunnel on this connection.
package struct RegisterConnection: Equatable, Sendable {
    package var auth: TunnelAuth
    package var tunnelID: UUID
    /// Which of the connector's parallel connections this is.
    package var connectionIndex: UInt8
    package var options: ConnectionOptions

    package init(auth: TunnelAuth, tunnelID: UUID, connectionIndex: UInt8, options: ConnectionOptions) {
        self.auth = auth
        self.tunnelID = tunnelID
        self.connectionIndex = connectionIndex
        self.options = options
    }
}

extension RegisterConnection: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 3)

    package init(from fields: StructReader) throws(CapnProtoError) {
        auth = try fields.structure(0)
        tunnelID = try fields.pointer(1).uuid(field: "tunnel id")
        connectionIndex = fields.integer(at: 0)
        options = try fields.structure(2)
    }

    package func encode(to fields: inout StructWriter) {
        fields.set(connectionIndex, at: 0)
        fields.setStructure(0, auth)
        fields.setUUID(1, tunnelID)
        fields.setStructure(2, options)
    }
}
