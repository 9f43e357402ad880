package import NIOSSL

/// TLS of links: groups, names and trust of tunnel-protocol section 1.3.
package enum EdgeTLS {
    /// The name a connector asks for, and checks, on the HTTP/2 transport.
    package static let serverName = "h2.cftunnel.com"

    /// What the connector offers.
    ///
    /// - Parameters:
    ///   - caFile: PEM file with the only certificates to trust; nil trusts the system's.
    ///   - postQuantumOnly: refuse an edge without ML-KEM.
    /// - Throws: when the file cannot be read or holds no certificate.
    package static func connector(caFile: String?, postQuantumOnly: Bool) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.curves = postQuantumOnly ? [.x25519_MLKEM768] : [.x25519_MLKEM768, .secp256r1]
        if let caFile {
            let certificates = try NIOSSLCertificate.fromPEMFile(caFile)
            guard !certificates.isEmpty else { throw EdgeTLSError.noCertificate(caFile) }
            configuration.trustRoots = .certificates(certificates)
        }
        return try NIOSSLContext(configuration: configuration)
    }

    /// What the edge answers connectors with.
    ///
    /// - Throws: when a file cannot be read, or the key does not belong to the certificate.
    package static func edge(certificateFile: String, keyFile: String) throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMFile(certificateFile).map(NIOSSLCertificateSource.certificate)
        guard !chain.isEmpty else { throw EdgeTLSError.noCertificate(certificateFile) }
        let key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        // P-256 serves the official connector when it has no ML-KEM; plain X25519 and P-384 serve others.
        configuration.curves = [.x25519_MLKEM768, .x25519, .secp256r1, .secp384r1]
        // The Go HTTP/2 server refuses CBC suites (INADEQUATE_SECURITY), so only AEAD ones are on offer for TLS 1.2.
        configuration.cipherSuiteValues = [
            .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ]
        return try NIOSSLContext(configuration: configuration)
    }
}

/// A certificate file that cannot be used.
package enum EdgeTLSError: Error, CustomStringConvertible {
    case noCertificate(String)

    package var description: String {
        switch self {
        case .noCertificate(let file): "\(file) holds no PEM certificate"
        }
    }
}
