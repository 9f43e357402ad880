import ByteStream
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import TunnelConfig

/// TLS towards origins. Contexts are kept for the life of the process: building one reads the system's certificates.
final class OriginTLS: Sendable {
    /// What makes two contexts different.
    private struct Key: Hashable {
        var caPool: String?
        var noTLSVerify: Bool
    }

    private let contexts = Mutex<[Key: NIOSSLContext]>([:])

    /// - Returns: a context for the rule. Fails with `OriginError` when `caPool` cannot be read.
    func context(for options: OriginRequest, on eventLoop: any EventLoop) -> EventLoopFuture<NIOSSLContext> {
        let key = Key(caPool: options.caPool, noTLSVerify: options.noTLSVerify)
        if let context = contexts.withLock({ $0[key] }) { return eventLoop.makeSucceededFuture(context) }
        return NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            let context = try Self.make(key)
            self.contexts.withLock { $0[key] = context }
            return context
        }
    }

    /// The name that is sent as SNI and checked against the certificate.
    static func serverName(for target: OriginTarget, options: OriginRequest, authority: String) -> String {
        if options.matchSNItoHost { return DomainName.host(ofAuthority: authority) }
        if let name = options.originServerName { return name }
        return switch target.address {
        case .tcp(let host, _): host
        case .unix: "localhost"
        }
    }

    static func handler(_ context: NIOSSLContext, name: String) throws -> NIOSSLClientHandler {
        guard context.configuration.certificateVerification == .none else {
            return try ServerIdentity.tlsHandler(context, serverName: name)
        }
        // An address cannot be sent as SNI.
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : name)
    }

    private static func make(_ key: Key) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if key.noTLSVerify { configuration.certificateVerification = .none }
        // The official connector honours this variable; so does OpenSSL.
        if let file = getenv("SSL_CERT_FILE").map({ String(cString: $0) }), !file.isEmpty {
            configuration.trustRoots = .file(file)
        }
        if let caPool = key.caPool {
            do {
                let certificates = try NIOSSLCertificate.fromPEMFile(caPool)
                configuration.additionalTrustRoots = [.certificates(certificates)]
            } catch {
                throw OriginError(
                    .handshakeFailed, "caPool \(caPool) cannot be read as PEM certificates; is the path right?",
                    cause: error)
            }
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw OriginError(.handshakeFailed, "the trusted certificates for origins cannot be loaded", cause: error)
        }
    }
}
