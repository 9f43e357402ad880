import Glibc
import NIOCore
package import NIOSSL

/// Whether a certificate is for the server we mean to reach (RFC 9525), checked before a byte of the request leaves.
///
/// NIOSSL's own check also takes a certificate for the address of the other end of the socket: with a forged name service,
/// or behind a proxy, that is whoever sits there. Here only the name asked for counts, or the address if that was typed.
package enum ServerIdentity {
    /// The certificate is valid and for somebody else.
    package struct Mismatch: Error, CustomStringConvertible {
        package var description: String { "the certificate is for another name" }
    }

    /// A TLS handler that checks the chain by its context and the name here. Where the context checks the name too, both
    /// must agree.
    package static func tlsHandler(_ context: NIOSSLContext, serverName: String) throws -> NIOSSLClientHandler {
        // An address has no place in SNI.
        let indication = address(serverName) == nil ? serverName : nil
        return try NIOSSLClientHandler._makeSSLClientHandler(context: context, serverHostname: indication) {
            certificate, channel in
            matches(certificate, serverName)
                ? channel.eventLoop.makeSucceededVoidFuture() : channel.eventLoop.makeFailedFuture(Mismatch())
        }
    }

    private static func matches(_ certificate: NIOSSLCertificate, _ serverName: String) -> Bool {
        let address = address(serverName)
        return certificate._subjectAlternativeNames().contains { name in
            switch name.nameType {
            case .ipAddress: address.map { $0 == Array(name.contents) } ?? false
            case .dnsName: address == nil && covers(String(decoding: name.contents, as: UTF8.self), serverName)
            default: false
            }
        }
    }

    /// Whether a name in a certificate covers a host name: the same, or `*` for exactly its first label.
    package static func covers(_ pattern: String, _ name: String) -> Bool {
        let pattern = pattern.lowercased()
        let name = name.lowercased()
        if pattern == name { return !name.isEmpty }
        guard pattern.hasPrefix("*."), let dot = name.firstIndex(of: "."), dot > name.startIndex else { return false }
        return pattern.dropFirst() == name[dot...]
    }

    /// The bytes of an IP address; nil for a name.
    private static func address(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes.prefix(4)) }
        return inet_pton(AF_INET6, text, &bytes) == 1 ? bytes : nil
    }
}
