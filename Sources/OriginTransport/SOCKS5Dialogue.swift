import NIOCore
import TunnelConfig

/// The server's side of a SOCKS5 CONNECT (RFC 1928): bytes in, actions out. Takes clients without a login only.
struct SOCKS5Dialogue {
    enum DialogueAction: Equatable {
        /// Wait for more.
        case none
        /// Send this and wait for more.
        case send(ByteBuffer)
        /// The client named its destination: dial, then answer with `reply`.
        case connect(JumpDestination)
        /// Send this as the last word.
        case refuse(ByteBuffer)
        /// What speaks is no SOCKS5 client; there is nothing to tell it.
        case hangUp
    }

    /// Section 6 of the RFC.
    enum Reply: UInt8 {
        case succeeded = 0
        case generalFailure = 1
        case notAllowed = 2
        case networkUnreachable = 3
        case hostUnreachable = 4
        case refused = 5
        case commandNotSupported = 7
        case addressKindNotSupported = 8
    }

    private enum State {
        case awaitingMethods, awaitingRequest, done
    }

    private var state = State.awaitingMethods

    /// The client sent bytes; takes from `buffer` what it understood and leaves what comes after the request.
    mutating func received(_ buffer: inout ByteBuffer) -> DialogueAction {
        switch state {
        case .awaitingMethods: readMethods(&buffer)
        case .awaitingRequest: readRequest(&buffer)
        case .done: .none
        }
    }

    private mutating func readMethods(_ buffer: inout ByteBuffer) -> DialogueAction {
        var reader = buffer
        guard let version = reader.readInteger(as: UInt8.self) else { return .none }
        guard version == 5 else { return end(.hangUp) }
        guard let count = reader.readInteger(as: UInt8.self), let methods = reader.readBytes(length: Int(count)) else {
            return .none
        }
        buffer = reader
        guard methods.contains(0) else { return end(.refuse(ByteBuffer(bytes: [5, 0xFF]))) }
        state = .awaitingRequest
        return .send(ByteBuffer(bytes: [5, 0]))
    }

    private mutating func readRequest(_ buffer: inout ByteBuffer) -> DialogueAction {
        var reader = buffer
        guard let version = reader.readInteger(as: UInt8.self) else { return .none }
        guard version == 5 else { return end(.hangUp) }
        guard let (command, _, kind) = reader.readMultipleIntegers(as: (UInt8, UInt8, UInt8).self) else {
            return .none
        }
        guard command == 1 else { return end(.refuse(Self.reply(.commandNotSupported))) }
        let host: String
        switch kind {
        case 1:
            guard let bits = reader.readInteger(as: UInt32.self) else { return .none }
            host = "\(IPAddress(v4: bits))"
        case 4:
            guard let (high, low) = reader.readMultipleIntegers(as: (UInt64, UInt64).self) else { return .none }
            host = "[\(IPAddress(v6: UInt128(high) << 64 | UInt128(low)))]"
        case 3:
            guard let count = reader.readInteger(as: UInt8.self), let name = reader.readString(length: Int(count))
            else {
                return .none
            }
            host = name
        default:
            return end(.refuse(Self.reply(.addressKindNotSupported)))
        }
        guard let port = reader.readInteger(as: UInt16.self) else { return .none }
        buffer = reader
        // A name is judged like that of a bastion's client: nothing that only looks like one reaches the resolver.
        guard let destination = try? JumpDestination.parse("\(host):\(port)"), destination.port == Int(port) else {
            return end(.refuse(Self.reply(.hostUnreachable)))
        }
        return end(.connect(destination))
    }

    private mutating func end(_ action: DialogueAction) -> DialogueAction {
        state = .done
        return action
    }

    /// - Parameter bound: our end of the connection to the destination.
    static func reply(_ reply: Reply, bound: SocketAddress? = nil) -> ByteBuffer {
        var bytes = ByteBuffer(bytes: [5, reply.rawValue, 0])
        let address = bound?.ipAddress.flatMap { IPAddress($0)?.unmapped } ?? IPAddress(v4: 0)
        if address.isV6 {
            bytes.writeInteger(UInt8(4))
            bytes.writeInteger(UInt64(truncatingIfNeeded: address.bits >> 64))
            bytes.writeInteger(UInt64(truncatingIfNeeded: address.bits))
        } else {
            bytes.writeInteger(UInt8(1))
            bytes.writeInteger(UInt32(truncatingIfNeeded: address.bits))
        }
        bytes.writeInteger(UInt16(truncatingIfNeeded: bound?.port ?? 0))
        return bytes
    }
}

extension SOCKS5Dialogue.Reply {
    /// What a client is told of a dial that failed.
    init(_ error: OriginError) {
        self =
            switch error.code {
            case .destinationDenied: .notAllowed
            case .refused: .refused
            case .unreachable: .networkUnreachable
            case .notFound, .timedOut: .hostUnreachable
            default: .generalFailure
            }
    }
}
