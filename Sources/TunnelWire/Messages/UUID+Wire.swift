import CapnProto
import FoundationEssentials
import NIOCore

extension PointerReader {
    /// The bytes of a small Data field.
    func bytes() throws(CapnProtoError) -> [UInt8] {
        Array(try data().readableBytesView)
    }

    /// An identifier, which is always 16 bytes.
    func uuid(field: String) throws(CapnProtoError) -> UUID {
        let bytes = try self.bytes()
        guard bytes.count == 16 else { throw .wrongLength(field: field, length: bytes.count) }
        return UUID(
            uuid: (
                bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
                bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]
            ))
    }
}

extension StructWriter {
    mutating func setUUID(_ slot: Int, _ uuid: UUID) {
        let b = uuid.uuid
        setData(
            slot,
            [b.0, b.1, b.2, b.3, b.4, b.5, b.6, b.7, b.8, b.9, b.10, b.11, b.12, b.13, b.14, b.15])
    }
}
