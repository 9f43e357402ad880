import Crypto
package import Foundation
import SwiftASN1
import X509

/// The edge's own certificate authority: signs the certificates of both listeners, and those of tests.
///
/// A value; the private key is inside and never printed. P-256 throughout, since every client in use accepts it.
package struct CertificateAuthority: Sendable, CustomStringConvertible {
    /// A certificate with its private key, both as PEM.
    package struct Issued: Sendable, CustomStringConvertible {
        package let certificatePEM: String
        /// PKCS#8. A secret.
        package let keyPEM: String
        package var description: String { "certificate with a redacted key" }
    }

    private let certificate: Certificate
    private let key: P256.Signing.PrivateKey

    /// Makes a new authority.
    ///
    /// - Parameters:
    ///   - name: its common name, as certificate viewers show it.
    ///   - notBefore: start of its life. An hour is given away to clocks that lag.
    ///   - notAfter: end of its life; nothing it signs outlives it.
    package init(name: String, notBefore: Date, notAfter: Date) throws {
        key = P256.Signing.PrivateKey()
        let subject = try DistinguishedName { CommonName(name) }
        let publicKey = Certificate.PublicKey(key.publicKey)
        certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: notBefore.addingTimeInterval(-3600), notValidAfter: notAfter,
            issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: publicKey)
            },
            issuerPrivateKey: Certificate.PrivateKey(key))
    }

    /// Reads an authority back.
    package init(certificatePEM: String, keyPEM: String) throws {
        certificate = try Certificate(pemEncoded: certificatePEM)
        key = try P256.Signing.PrivateKey(pemRepresentation: keyPEM)
    }

    package var certificatePEM: String {
        get throws { try certificate.serializeAsPEM().pemString + "\n" }
    }

    /// PKCS#8. A secret.
    package var keyPEM: String { key.pemRepresentation + "\n" }

    package var description: String { "certificate authority \(certificate.subject)" }

    /// Signs a certificate for a server with a new key.
    ///
    /// - Parameters:
    ///   - names: DNS names, wildcards included. The first is the common name.
    ///   - addresses: IP addresses in text form.
    ///   - notBefore: start of its life; nil means the start of the authority's.
    ///   - notAfter: end of its life; in the past for a test that wants an expired certificate.
    /// - Throws: `StoreError` when an address is none.
    package func issue(
        names: [String], addresses: [String] = [], notBefore: Date? = nil, notAfter: Date
    ) throws -> Issued {
        var alternatives = names.map { GeneralName.dnsName($0) }
        for address in addresses {
            guard let bytes = AddressBytes.parse(address) else {
                throw StoreError(.invalid, "\"\(address)\" is not an IP address")
            }
            alternatives.append(.ipAddress(ASN1OctetString(contentBytes: bytes[...])))
        }
        let leafKey = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(leafKey.publicKey)
        let commonName = names.first ?? addresses.first ?? "server"
        let authorityKeyIdentifier = AuthorityKeyIdentifier(
            keyIdentifier: SubjectKeyIdentifier(hash: certificate.publicKey).keyIdentifier)
        let leaf = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: notBefore ?? min(certificate.notValidBefore, notAfter.addingTimeInterval(-3600)),
            notValidAfter: min(notAfter, certificate.notValidAfter),
            // A common name has at most 64 characters; the alternative names are what counts.
            issuer: certificate.subject, subject: DistinguishedName { CommonName(String(commonName.prefix(64))) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(alternatives)
                SubjectKeyIdentifier(hash: publicKey)
                authorityKeyIdentifier
            },
            issuerPrivateKey: Certificate.PrivateKey(key))
        return Issued(
            certificatePEM: try leaf.serializeAsPEM().pemString + "\n", keyPEM: leafKey.pemRepresentation + "\n")
    }
}
