package import EdgeStore
import Foundation
import NIOSSL

/// TLS towards visitors: the configured certificate for the names it carries, the edge's own for everything else, which
/// is the account API and the listener's address.
package struct VisitorTLS: Sendable {
    private let certificate: ServerCertificate
    private let configured: NIOSSLContext
    private let own: NIOSSLContext?

    /// - Parameter own: signed by the edge's authority; nil when that is not at hand.
    /// - Throws: `EdgeError` when a file cannot be read, or the key does not belong to the certificate.
    package init(certificate: ServerCertificate, own: CertificateAuthority.Issued?) throws {
        self.certificate = certificate
        do {
            configured = try Self.context(
                NIOSSLCertificate.fromPEMFile(certificate.certificatePath),
                NIOSSLPrivateKey(file: certificate.keyPath, format: .pem))
            self.own = try own.map {
                try Self.context(
                    NIOSSLCertificate.fromPEMBytes(Array($0.certificatePEM.utf8)),
                    NIOSSLPrivateKey(bytes: Array($0.keyPEM.utf8), format: .pem))
            }
        } catch {
            throw EdgeError(
                .configuration,
                "the visitor certificate \(certificate.certificatePath) and its key \(certificate.keyPath) cannot be used",
                cause: error)
        }
    }

    /// - Parameter serverName: what the visitor asks for, lower case; nil when it connects by address.
    func context(for serverName: String?) -> NIOSSLContext {
        guard let own else { return configured }
        guard let serverName, certificate.covers(serverName) else { return own }
        return configured
    }

    /// Offers HTTP/2 and HTTP/1.1.
    private static func context(_ chain: [NIOSSLCertificate], _ key: NIOSSLPrivateKey) throws -> NIOSSLContext {
        guard !chain.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map(NIOSSLCertificateSource.certificate), privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        // HTTP/2 forbids the other suites of TLS 1.2 (RFC 9113 section 9.2.2).
        configuration.cipherSuiteValues = [
            .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ]
        return try NIOSSLContext(configuration: configuration)
    }
}
