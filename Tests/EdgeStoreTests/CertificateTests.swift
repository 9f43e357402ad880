import EdgeStore
import Foundation
import SwiftASN1
import Testing
@_spi(FixedExpiryValidationTime) import X509

@Suite struct CertificateTests {
    private let now = Date()
    private let authority: CertificateAuthority

    init() throws {
        authority = try CertificateAuthority(name: "test", notBefore: now, notAfter: now.addingTimeInterval(86_400))
    }

    @Test func `a leaf is good for its names at our authority only`() async throws {
        let leaf = try authority.issue(
            names: ["h2.cftunnel.com", "*.site.test"], addresses: ["127.0.0.1", "::1"],
            notAfter: now.addingTimeInterval(3600))
        let other = try CertificateAuthority(name: "test", notBefore: now, notAfter: now.addingTimeInterval(86_400))
        #expect(try await isTrusted(leaf.certificatePEM, by: authority, at: now))
        #expect(try await !isTrusted(leaf.certificatePEM, by: other, at: now))
        #expect(try await !isTrusted(leaf.certificatePEM, by: authority, at: now.addingTimeInterval(7200)))
        let names = try Certificate(pemEncoded: leaf.certificatePEM).extensions.subjectAlternativeNames
        #expect(
            names.map { Array($0) } == [
                .dnsName("h2.cftunnel.com"), .dnsName("*.site.test"),
                .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
                .ipAddress(ASN1OctetString(contentBytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
            ])
    }

    @Test func `an authority read back signs for the same root`() async throws {
        let copy = try CertificateAuthority(certificatePEM: authority.certificatePEM, keyPEM: authority.keyPEM)
        let leaf = try copy.issue(names: ["a.test"], notAfter: now.addingTimeInterval(3600))
        #expect(try await isTrusted(leaf.certificatePEM, by: authority, at: now))
    }

    @Test func `what is no address is refused`() {
        let error = #expect(throws: StoreError.self) {
            _ = try authority.issue(names: [], addresses: ["127.0.0.256"], notAfter: now)
        }
        #expect(error?.code == .invalid)
    }

    @Test func `keys are not printed`() throws {
        let leaf = try authority.issue(names: ["a.test"], notAfter: now.addingTimeInterval(3600))
        #expect(!"\(leaf)\(authority)".contains("PRIVATE"))
    }

    @Test func `the user's own files are looked through, each fault with its name`() async throws {
        try await withTemporaryDirectory { path in
            func write(_ name: String, _ text: String) throws -> String {
                try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
                return "\(path)/\(name)"
            }
            func failure(_ certificate: String, _ key: String) -> String {
                do {
                    _ = try ServerCertificate.check(
                        certificatePath: certificate, keyPath: key, purpose: "tunnel",
                        requiredName: ServerCertificate.tunnelName, now: now)
                    return "none"
                } catch {
                    return "\(error)"
                }
            }
            let good = try authority.issue(names: ["h2.cftunnel.com"], notAfter: now.addingTimeInterval(3600))
            let wild = try authority.issue(names: ["*.cftunnel.com"], notAfter: now.addingTimeInterval(3600))
            let wrongName = try authority.issue(names: ["site.test"], notAfter: now.addingTimeInterval(3600))
            let expired = try authority.issue(names: ["h2.cftunnel.com"], notAfter: now.addingTimeInterval(-60))
            let goodPath = try write("good.pem", good.certificatePEM)
            let goodKey = try write("good-key.pem", good.keyPEM)
            let garbage = try write("garbage.pem", "nothing")
            let broken = try write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            #expect(failure(goodPath, goodKey) == "none")
            #expect(failure(try write("w.pem", wild.certificatePEM), try write("wk.pem", wild.keyPEM)) == "none")
            #expect(
                failure(try write("n.pem", wrongName.certificatePEM), try write("nk.pem", wrongName.keyPEM))
                    .contains("does not carry the name h2.cftunnel.com"))
            #expect(
                failure(try write("e.pem", expired.certificatePEM), try write("ek.pem", expired.keyPEM))
                    .contains("expired on"))
            #expect(failure(goodPath, "\(path)/wk.pem").contains("does not belong to"))
            #expect(failure(garbage, goodKey).contains("no CERTIFICATE block"))
            #expect(failure(broken, goodKey).contains("not a PEM certificate"))
            #expect(failure(goodPath, garbage).contains("no PRIVATE KEY block"))
            #expect(failure("\(path)/absent.pem", goodKey).contains("there is no such file"))
        }
    }

    private func isTrusted(_ pem: String, by authority: CertificateAuthority, at time: Date) async throws -> Bool {
        let roots = CertificateStore([try Certificate(pemEncoded: authority.certificatePEM)])
        var verifier = Verifier(rootCertificates: roots) { RFC5280Policy(fixedExpiryValidationTime: time) }
        let result = await verifier.validate(
            leaf: try Certificate(pemEncoded: pem), intermediates: CertificateStore())
        if case .validCertificate = result { return true }
        return false
    }
}
