import Foundation
import NIOSSL

/// Whose certificates the client believes: the system's authorities, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR` when
/// set, and `--cacert` besides.
enum TrustedAuthorities {
    /// TLS 1.2 or later, without ALPN, as the official client (access-protocol section 1.7). Expensive: made once. For
    /// `ServerIdentity.tlsHandler` only, which checks the name.
    ///
    /// - Throws: `AccessError` (configuration) naming the file that cannot be used.
    static func context(authorityFiles: [String], environment: [String: String]) throws -> NIOSSLContext {
        var tls = try settings(authorityFiles: authorityFiles, environment: environment)
        // The chain is checked by this context, the name by `ServerIdentity`.
        tls.certificateVerification = .noHostnameVerification
        do {
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw AccessError(
                .configuration, "cannot set up TLS with the trusted authorities of this system", cause: error)
        }
    }

    /// The same for a client that checks the name itself.
    static func settings(authorityFiles: [String], environment: [String: String]) throws -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let replacement = try replacement(environment) { tls.trustRoots = .certificates(replacement) }
        tls.additionalTrustRoots = [.certificates(try authorityFiles.flatMap { try read($0, from: "--cacert") })]
        return tls
    }

    private static func replacement(_ environment: [String: String]) throws -> [NIOSSLCertificate]? {
        let file = environment["SSL_CERT_FILE"] ?? ""
        let directories = environment["SSL_CERT_DIR"] ?? ""
        guard !file.isEmpty || !directories.isEmpty else { return nil }
        var certificates = file.isEmpty ? [] : try read(file, from: "SSL_CERT_FILE")
        for directory in directories.split(separator: ":").map(String.init) {
            let names: [String]
            do {
                names = try FileManager.default.contentsOfDirectory(atPath: directory)
            } catch {
                throw AccessError(.configuration, "SSL_CERT_DIR: cannot list \(directory)", cause: error)
            }
            // Such directories hold links, indexes and readme files besides; what is no certificate is passed over.
            for name in names.sorted() {
                certificates += (try? NIOSSLCertificate.fromPEMFile("\(directory)/\(name)")) ?? []
            }
        }
        guard !certificates.isEmpty else {
            throw AccessError(.configuration, "SSL_CERT_DIR: no PEM certificate in \(directories)")
        }
        return certificates
    }

    private static func read(_ path: String, from source: String) throws -> [NIOSSLCertificate] {
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(path)
            guard certificates.isEmpty else { return certificates }
        } catch {
            throw AccessError(.configuration, "\(source): cannot read PEM certificates from \(path)", cause: error)
        }
        throw AccessError(.configuration, "\(source): no PEM certificate in \(path)")
    }
}
