package import CapnProto

/// What a connector tells about itself when it registers.
package struct ConnectionOptions: Equatable, Sendable {
    package var client: ClientInfo
    /// The local address of the connection, 4 or 16 bytes, or empty if unknown. Informational.
    package var originLocalIP: [UInt8]
    package var replaceExisting: Bool
    package var compressionQuality: UInt8
    /// Failed attempts since this connection was last registered.
    package var numPreviousAttempts: UInt8

    package init(
        client: ClientInfo, originLocalIP: [UInt8] = [], replaceExisting: Bool = false, compressionQuality: UInt8 = 0,
        numPreviousAttempts: UInt8 = 0
    ) {
        self.client = client
        self.originLocalIP = originLocalIP
        self.replaceExisting = replaceExisting
        self.compressionQuality = compressionQuality
        self.numPreviousAttempts = numPreviousAttempts
    }
}

extension ConnectionOptions: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 2)

    package init(from fields: StructReader) throws(CapnProtoError) {
        client = try fields.structure(0)
        originLocalIP = try fields.pointer(1).bytes()
        replaceExisting = fields.bit(0, at: 0)
        compressionQuality = fields.integer(at: 1)
        numPreviousAttempts = fields.integer(at: 2)
    }

    package func encode(to fields: inout StructWriter) {
        fields.setBit(0, at: 0, to: replaceExisting)
        fields.set(compressionQuality, at: 1)
        fields.set(numPreviousAttempts, at: 2)
        fields.setStructure(0, client)
        fields.setData(1, originLocalIP)
    }
}
