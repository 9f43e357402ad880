package import CapnProto

/// The edge's answer to a registration.
package enum ConnectionResponse: Equatable, Sendable {
    case error(ConnectionError)
    case connectionDetails(ConnectionDetails)
}

extension ConnectionResponse: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 1, pointers: 1)

    package init(from fields: StructReader) throws(CapnProtoError) {
        switch fields.integer(at: 0, as: UInt16.self) {
        case 0: self = .error(try fields.structure(0))
        case 1: self = .connectionDetails(try fields.structure(0))
        case let tag: throw .unknownTag(field: "connection response", tag: tag)
        }
    }

    package func encode(to fields: inout StructWriter) {
        switch self {
        case .error(let error):
            fields.setStructure(0, error)
        case .connectionDetails(let details):
            fields.set(UInt16(1), at: 0)
            fields.setStructure(0, details)
        }
    }
}

/// The results of `registerConnection`.
struct RegisterConnectionResults: Equatable, Sendable {
    var response: ConnectionResponse
}

extension RegisterConnectionResults: StructEncodable, StructDecodable {
    static let structSize = StructSize(data: 0, pointers: 1)

    init(from fields: StructReader) throws(CapnProtoError) {
        response = try fields.structure(0)
    }

    func encode(to fields: inout StructWriter) {
        fields.setStructure(0, response)
    }
}
