import EdgeTransport
import NIOCore
import NIOSSL
import TunnelConfig
import TunnelWire

/// What a session registers and the deadlines it keeps. A value: one per attempt.
struct SessionPlan: Sendable {
    var index: UInt8
    var credentials: TunnelCredentials
    var client: ClientInfo
    var previousAttempts: UInt8
    var tls: NIOSSLContext
    var link = LinkConfiguration()
    /// From the link's start until the edge opens the control stream.
    var controlStreamTimeout: TimeAmount = .seconds(15)
    /// For each call to the edge.
    var rpcTimeout: TimeAmount = .seconds(5)
    /// From the goodbye until the link is closed whatever still runs.
    var gracePeriod: TimeAmount = .seconds(30)
    /// What connection 0 tells the edge after its registration and after each change, if there is anything; nil for the
    /// others, which tell nothing.
    var localConfiguration: (@Sendable () -> ByteBuffer?)?

    func registration(localAddress: SocketAddress?) -> RegisterConnection {
        RegisterConnection(
            auth: TunnelAuth(
                accountTag: credentials.accountTag,
                tunnelSecret: TunnelWire.TunnelSecret(credentials.tunnelSecret.bytes)),
            tunnelID: credentials.tunnelID,
            connectionIndex: index,
            options: ConnectionOptions(
                client: client, originLocalIP: Self.ipBytes(of: localAddress), numPreviousAttempts: previousAttempts))
    }

    /// Always 16 bytes, IPv4 mapped; empty when unknown (tunnel-protocol section 3.4).
    static func ipBytes(of address: SocketAddress?) -> [UInt8] {
        guard let text = address?.ipAddress, let address = IPAddress(text) else { return [] }
        var bits = address.isV6 ? address.bits : address.bits | 0xFFFF_0000_0000
        var bytes = [UInt8](repeating: 0, count: 16)
        for index in bytes.indices.reversed() {
            bytes[index] = UInt8(truncatingIfNeeded: bits)
            bits >>= 8
        }
        return bytes
    }
}
