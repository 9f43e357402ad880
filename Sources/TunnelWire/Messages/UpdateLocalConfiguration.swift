import CapnProto
import NIOCore

/// The parameters of `updateLocalConfiguration`: the connector shows the configuration it runs with.
struct UpdateLocalConfiguration: Equatable, Sendable {
    /// JSON (tunnel-protocol section 5.5).
    var config: ByteBuffer
}

extension UpdateLocalConfiguration: StructEncodable, StructDecodable {
    static let structSize = StructSize(data: 0, pointers: 1)

    init(from fields: StructReader) throws(CapnProtoError) {
        config = try fields.pointer(0).data()
    }

    func encode(to fields: inout StructWriter) {
        fields.setData(0, config)
    }
}
