import NIOCore
import NIOSSL
import TunnelConfig

/// Whether a certificate is for the server we mean to reach (RFC 9525), checked before a byte of the request leaves.
///
/// NIOSSL's own check also takes a certificate for the address of the other end of the socket: with a forged name service,
/// or behind a proxy, that is whoever sits there. Here only the name asked for counts, or the address if that was typed.
enum ServerIdentity {
    /// The certificate is valid and for somebody else.
    struct Mismatch: Error, CustomStringConvertible {
        var description: String { "the certificate is for another name" }
    }

    /// A TLS handler that checks the chain by its context and the name here. The context must leave the name to us.
    static func tlsHandler(_ context: NIOSSLContext, serverName: String) throws -> NIOSSLClientHandler {
        // An address has no place in SNI.
        let indication = IPAddress(serverName) == nil ? serverName : nil
        return try NIOSSLClientHandler._makeSSLClientHandler(context: context, serverHostname: indication) {
            certificate, channel in
            matches(certificate, serverName)
                ? channel.eventLoop.makeSucceededVoidFuture() : channel.eventLoop.makeFailedFuture(Mismatch())
        }
    }

    private static func matches(_ certificate: NIOSSLCertificate, _ serverName: String) -> Bool {
        let address = IPAddress(serverName)
        return certificate._subjectAlternativeNames().contains { name in
            switch name.nameType {
            case .ipAddress: address.map { bytes(of: $0) == Array(name.contents) } ?? false
            case .dnsName: address == nil && covers(String(decoding: name.contents, as: UTF8.self), serverName)
            default: false
            }
        }
    }

    /// Whether a name in a certificate covers a host name: the same, or `*` for exactly its first label.
    static func covers(_ pattern: String, _ name: String) -> Bool {
        let pattern = pattern.lowercased()
        let name = name.lowercased()
        if pattern == name { return !name.isEmpty }
        guard pattern.hasPrefix("*."), let dot = name.firstIndex(of: "."), dot > name.startIndex else { return false }
        return pattern.dropFirst() == name[dot...]
    }

    private static func bytes(of address: IPAddress) -> [UInt8] {
        let count = address.isV6 ? 16 : 4
        return (0..<count).map { UInt8(truncatingIfNeeded: address.bits >> UInt128(8 * (count - 1 - $0))) }
    }
}
