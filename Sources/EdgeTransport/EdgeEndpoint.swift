import ByteStream
package import NIOCore

/// Where an edge listens for connectors.
package enum EdgeEndpoint: Sendable, Hashable, CustomStringConvertible {
    case address(SocketAddress)
    /// Only a proxy can go there: it looks up the name.
    case name(String, port: Int)

    package var description: String {
        switch self {
        case .address(let address): ErrorWords.text(of: address)
        case .name(let host, let port): "\(host):\(port)"
        }
    }

    /// The address without port, or the name.
    package var host: String {
        switch self {
        case .address(let address): address.ipAddress ?? description
        case .name(let host, _): host
        }
    }

    var port: Int {
        switch self {
        case .address(let address): address.port ?? 0
        case .name(_, let port): port
        }
    }
}
