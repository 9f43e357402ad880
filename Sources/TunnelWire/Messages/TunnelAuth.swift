package import CapnProto

/// Who a connector claims to be.
package struct TunnelAuth: Equatable, Sendable {
    package var accountTag: String
    package var tunnelSecret: TunnelSecret

    package init(accountTag: String, tunnelSecret: TunnelSecret) {
        self.accountTag = accountTag
        self.tunnelSecret = tunnelSecret
    }
}

extension TunnelAuth: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 0, pointers: 2)

    package init(from fields: StructReader) throws(CapnProtoError) {
        accountTag = try fields.pointer(0).text()
        tunnelSecret = TunnelSecret(try fields.pointer(1).bytes())
    }

    package func encode(to fields: inout StructWriter) {
        fields.setText(0, accountTag)
        fields.setData(1, tunnelSecret.bytes)
    }
}
