import Foundation
import NIOSSL

/// Which authorities a server's certificate is checked against: those of `SSL_CERT_FILE` and `SSL_CERT_DIR` when set,
/// else the system's, and besides them the given files.
struct TrustedRoots {
    let main: NIOSSLTrustRoots
    let additional: [NIOSSLAdditionalTrustRoots]

    init(environment: [String: String], extraFiles: [String]) throws {
        let file = environment["SSL_CERT_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        let directories = environment["SSL_CERT_DIR"].map { $0.split(separator: ":").map(String.init) } ?? []
        if file == nil, directories.isEmpty {
            main = .default
        } else {
            var certificates: [NIOSSLCertificate] = []
            if let file { certificates += try Self.certificates(in: file, named: "SSL_CERT_FILE") }
            for directory in directories { certificates += Self.certificates(inDirectory: directory) }
            main = .certificates(certificates)
        }
        additional = try extraFiles.map { .certificates(try Self.certificates(in: $0, named: "--cacert")) }
    }

    private static func certificates(in path: String, named source: String) throws -> [NIOSSLCertificate] {
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMFile(path)
        } catch {
            let exists = FileManager.default.fileExists(atPath: path)
            throw ControlAPIError(
                .configuration, "\(source): \(path) \(exists ? "is not a PEM file of certificates" : "does not exist")",
                remedy: "give the edge's ca.pem or another PEM file", cause: error)
        }
        guard !certificates.isEmpty else {
            throw ControlAPIError(
                .configuration, "\(source): \(path) holds no certificate",
                remedy: "give the edge's ca.pem or another PEM file")
        }
        return certificates
    }

    /// Everything in the directory that is a certificate; what is none is passed over, as everywhere.
    private static func certificates(inDirectory path: String) -> [NIOSSLCertificate] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.sorted().prefix(4096).flatMap { name in
            (try? NIOSSLCertificate.fromPEMFile("\(path)/\(name)")) ?? []
        }
    }
}
