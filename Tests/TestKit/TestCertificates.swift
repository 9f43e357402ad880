import Foundation
package import NIOSSL

/// A certificate authority and server certificates for tests, made by `openssl` once per test process in a directory of
/// its own.
package final class TestCertificates: Sendable {
    /// One for all tests of the process.
    package static let shared = Result { try TestCertificates() }

    private let directory: URL

    /// What a server certificate is made for.
    package enum Kind: String, CaseIterable, Sendable {
        /// `h2.cftunnel.com`, `cloudflare-dns.com`, `localhost`, names below it and 127.0.0.1, valid now.
        case valid
        /// The same, over since yesterday.
        case expired
        /// For another name.
        case otherName
    }

    private init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "cloudflared-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        for authority in ["ca", "stranger"] {
            try openssl(
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=\(authority)", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", path("\(authority).key"),
                "-out", path("\(authority).pem"))
        }
        for kind in Kind.allCases {
            let names =
                kind == .otherName
                ? "DNS:other.test"
                : "DNS:h2.cftunnel.com,DNS:cloudflare-dns.com,DNS:localhost,DNS:*.localhost,DNS:rdp.localhost,DNS:app.test,IP:127.0.0.1"
            let file = path("\(kind.rawValue).ext")
            try "subjectAltName=\(names)\nextendedKeyUsage=serverAuth\n".write(
                toFile: file, atomically: true, encoding: .utf8)
            try openssl(
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/CN=\(kind.rawValue)",
                "-keyout", path("\(kind.rawValue).key"), "-out", path("\(kind.rawValue).csr"))
            try openssl(
                "x509", "-req", "-in", path("\(kind.rawValue).csr"), "-CA", authorityFile, "-CAkey", path("ca.key"),
                "-CAcreateserial", "-extfile", file, "-days", kind == .expired ? "-1" : "2", "-out",
                certificateFile(kind))
        }
    }

    /// PEM of the authority that signed everything here.
    package var authorityFile: String { path("ca.pem") }
    /// PEM of an authority that signed nothing.
    package var strangerFile: String { path("stranger.pem") }

    package func certificateFile(_ kind: Kind) -> String { path("\(kind.rawValue).pem") }
    package func keyFile(_ kind: Kind) -> String { path("\(kind.rawValue).key") }

    /// A server's TLS with one of the certificates.
    package func server(_ kind: Kind = .valid) throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMFile(certificateFile(kind)).map(NIOSSLCertificateSource.certificate)
        let key = try NIOSSLPrivateKey(file: keyFile(kind), format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key)))
    }

    private func path(_ name: String) -> String { directory.appending(path: name).path }

    private func openssl(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }
}
