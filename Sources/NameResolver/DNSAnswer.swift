import CAres
import NIOCore

/// A DNS message that came as the answer to a question, taken apart by c-ares: bytes from outside, of any content.
struct DNSAnswer {
    private let bytes: [UInt8]
    private let name: String

    /// - Parameter name: what was asked for, for the errors.
    init(_ bytes: [UInt8], to name: String) {
        self.bytes = bytes
        self.name = name
    }

    /// At least one. Records without a usable target or port are left out.
    var services: [ServiceRecord] {
        get throws {
            var list: UnsafeMutablePointer<ares_srv_reply>?
            try check(ares_parse_srv_reply(bytes, CInt(clamping: bytes.count), &list))
            defer { ares_free_data(list) }
            var found: [ServiceRecord] = []
            var next = list
            while let record = next?.pointee, found.count < NameResolver.most {
                next = record.next
                guard let host = record.host else { continue }
                var target = String(cString: host)
                if target.hasSuffix(".") { target.removeLast() }
                // RFC 2782: a target of "." says that the service is not there.
                guard !target.isEmpty, target.utf8.count <= 253, record.port > 0 else { continue }
                found.append(
                    ServiceRecord(
                        target: target, port: Int(record.port), priority: Int(record.priority),
                        weight: Int(record.weight)))
            }
            guard !found.isEmpty else { throw NameError(.notFound, "\(name) names no server") }
            return found
        }
    }

    /// Of an A record's answer.
    func v4(port: Int) throws -> [SocketAddress] {
        var count = CInt(NameResolver.most)
        var records = [ares_addrttl](repeating: ares_addrttl(), count: NameResolver.most)
        try check(ares_parse_a_reply(bytes, CInt(clamping: bytes.count), nil, &records, &count))
        return try Self.addresses(records.prefix(Int(max(0, count))).map(\.ipaddr), port: port)
    }

    /// Of an AAAA record's answer.
    func v6(port: Int) throws -> [SocketAddress] {
        var count = CInt(NameResolver.most)
        var records = [ares_addr6ttl](repeating: ares_addr6ttl(), count: NameResolver.most)
        try check(ares_parse_aaaa_reply(bytes, CInt(clamping: bytes.count), nil, &records, &count))
        return try Self.addresses(records.prefix(Int(max(0, count))).map(\.ip6addr), port: port)
    }

    /// - Parameter packed: in the order of the network.
    private static func addresses<Packed>(_ packed: [Packed], port: Int) throws -> [SocketAddress] {
        try packed.map { bits in
            try SocketAddress(packedIPAddress: withUnsafeBytes(of: bits) { ByteBuffer(bytes: $0) }, port: port)
        }
    }

    private func check(_ status: CInt) throws {
        guard status == ARES_SUCCESS else { throw Inquiry.failure(status, name) }
    }
}

/// A question as bytes, made by c-ares.
enum DNSQuestion {
    static func bytes(_ name: String, _ type: DNSType, id: UInt16) throws -> [UInt8] {
        var buffer: UnsafeMutablePointer<UInt8>?
        var count: CInt = 0
        let status = ares_create_query(name, 1, type.rawValue, id, 1, &buffer, &count, 0)
        defer { ares_free_string(buffer) }
        guard status == ARES_SUCCESS, let buffer else { throw Inquiry.failure(status, name) }
        return Array(UnsafeBufferPointer(start: buffer, count: Int(count)))
    }
}
