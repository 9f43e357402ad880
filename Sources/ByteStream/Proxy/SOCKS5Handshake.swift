import NIOCore
import TunnelConfig

/// The client's side of a SOCKS5 CONNECT (RFC 1928, RFC 1929): bytes in, actions out. Ends with the first error.
struct SOCKS5Handshake {
    enum HandshakeAction: Equatable {
        /// Send this and wait for more.
        case send(ByteBuffer)
        /// Wait for more.
        case none
        /// The way is open.
        case succeed
    }

    /// What the proxy answered instead of opening the way.
    struct Refusal: Error, Equatable, CustomStringConvertible {
        var description: String
    }

    private enum State {
        case awaitingMethod, awaitingLogin, awaitingReply, done
    }

    private let user: String?
    private let password: String
    private let host: String
    private let port: UInt16
    private var state = State.awaitingMethod

    /// - Parameters:
    ///   - host: a name of at most 255 bytes, which the proxy resolves, or an address; a longer one ends in a refusal.
    init(host: String, port: UInt16, user: String?, password: String?) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password ?? ""
    }

    /// The first bytes to send.
    var greeting: ByteBuffer {
        ByteBuffer(bytes: user == nil ? [5, 1, 0] : [5, 2, 0, 2])
    }

    /// The proxy sent bytes; takes from `buffer` what it understood.
    mutating func received(_ buffer: inout ByteBuffer) throws(Refusal) -> HandshakeAction {
        switch state {
        case .awaitingMethod:
            guard let (version, method) = buffer.readMultipleIntegers(as: (UInt8, UInt8).self) else { return .none }
            guard version == 5 else { throw Refusal(description: "the answer is not SOCKS5") }
            switch method {
            case 0:
                state = .awaitingReply
                return .send(try request)
            case 2 where user != nil:
                state = .awaitingLogin
                return .send(login)
            default:
                throw Refusal(description: "the proxy wants a way to log in that is not supported or needs a user name")
            }
        case .awaitingLogin:
            guard let (_, status) = buffer.readMultipleIntegers(as: (UInt8, UInt8).self) else { return .none }
            guard status == 0 else { throw Refusal(description: "the proxy refused user name and password") }
            state = .awaitingReply
            return .send(try request)
        case .awaitingReply:
            return try readReply(&buffer)
        case .done:
            return .none
        }
    }

    private mutating func readReply(_ buffer: inout ByteBuffer) throws(Refusal) -> HandshakeAction {
        var reader = buffer
        guard let (version, reply, _, kind) = reader.readMultipleIntegers(as: (UInt8, UInt8, UInt8, UInt8).self) else {
            return .none
        }
        guard version == 5 else { throw Refusal(description: "the answer is not SOCKS5") }
        guard reply == 0 else { throw Refusal(description: Self.meaning(of: reply)) }
        let addressLength: Int
        switch kind {
        case 1: addressLength = 4
        case 4: addressLength = 16
        case 3:
            guard let count = reader.readInteger(as: UInt8.self) else { return .none }
            addressLength = Int(count)
        default: throw Refusal(description: "the answer holds an address of unknown kind")
        }
        guard reader.readSlice(length: addressLength + 2) != nil else { return .none }
        buffer = reader
        state = .done
        return .succeed
    }

    private var login: ByteBuffer {
        var bytes = ByteBuffer(bytes: [1, UInt8(truncatingIfNeeded: user?.utf8.count ?? 0)])
        bytes.writeString(user ?? "")
        bytes.writeInteger(UInt8(truncatingIfNeeded: password.utf8.count))
        bytes.writeString(password)
        return bytes
    }

    private var request: ByteBuffer {
        get throws(Refusal) {
            var bytes = ByteBuffer(bytes: [5, 1, 0])
            if let address = IPAddress(host) {
                bytes.writeInteger(UInt8(address.isV6 ? 4 : 1))
                if address.isV6 {
                    bytes.writeInteger(UInt64(truncatingIfNeeded: address.bits >> 64))
                    bytes.writeInteger(UInt64(truncatingIfNeeded: address.bits))
                } else {
                    bytes.writeInteger(UInt32(truncatingIfNeeded: address.bits))
                }
            } else {
                guard let length = UInt8(exactly: host.utf8.count) else {
                    throw Refusal(description: "the name to go to is over 255 bytes")
                }
                bytes.writeInteger(UInt8(3))
                bytes.writeInteger(length)
                bytes.writeString(host)
            }
            bytes.writeInteger(port)
            return bytes
        }
    }

    private static func meaning(of reply: UInt8) -> String {
        switch reply {
        case 1: "general failure at the proxy"
        case 2: "the proxy does not allow this destination"
        case 3: "the proxy cannot reach the network"
        case 4: "the proxy cannot reach the host"
        case 5: "the destination refused the proxy's connection"
        case 6: "the proxy's connection took too long"
        case 7: "the proxy does not support CONNECT"
        case 8: "the proxy does not support this kind of address"
        default: "the proxy answered \(reply)"
        }
    }
}
