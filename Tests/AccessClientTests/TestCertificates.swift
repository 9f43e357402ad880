import Foundation
import Testing

/// A throw-away authority and a server certificate of its, made once a test run with the `openssl` command.
struct TestCertificates: Sendable {
    let authority: String
    let certificate: String
    let key: String
    /// A certificate of the same authority for another name.
    let otherCertificate: String

    static let shared: Result<TestCertificates, any Error> = Result { try TestCertificates() }

    private init() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("access-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        authority = "\(folder)/ca.pem"
        certificate = "\(folder)/server.pem"
        key = "\(folder)/key.pem"
        otherCertificate = "\(folder)/other.pem"
        try Self.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout \(folder)/ca.key -out \(authority)"
        )
        try Self.openssl("ecparam -name prime256v1 -genkey -noout -out \(key)")
        for (file, names) in [
            (certificate, "DNS:*.localhost,DNS:localhost,DNS:edge.test,IP:127.0.0.1"),
            (otherCertificate, "DNS:other.test"),
        ] {
            try "subjectAltName=\(names)".write(toFile: "\(folder)/san", atomically: true, encoding: .utf8)
            try Self.openssl("req -new -key \(key) -subj /CN=server -out \(folder)/csr")
            try Self.openssl(
                "x509 -req -in \(folder)/csr -CA \(authority) -CAkey \(folder)/ca.key -CAcreateserial -days 2 -extfile \(folder)/san -out \(file)"
            )
        }
    }

    private static func openssl(_ arguments: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments.split(separator: " ").map(String.init)
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments)")
    }
}
