package import NIOSSL

/// TLS towards visitors.
package enum VisitorTLS {
    /// Offers HTTP/2 and HTTP/1.1.
    ///
    /// - Throws: `EdgeError` when a file cannot be read, or the key does not belong to the certificate.
    package static func context(certificateFile: String, keyFile: String) throws -> NIOSSLContext {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(certificateFile).map(NIOSSLCertificateSource.certificate)
            guard !chain.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
            let key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["h2", "http/1.1"]
            // HTTP/2 forbids the other suites of TLS 1.2 (RFC 9113 section 9.2.2).
            configuration.cipherSuiteValues = [
                .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            ]
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw EdgeError(
                .configuration, "the visitor certificate \(certificateFile) and its key \(keyFile) cannot be used",
                cause: error)
        }
    }
}
