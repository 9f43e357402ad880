package import Foundation
import SwiftASN1
import X509

/// A certificate chain and its key as files, looked through before anyone listens with them.
package struct ServerCertificate: Sendable, Equatable {
    /// Absolute path of the PEM chain, leaf first.
    package let certificatePath: String
    /// Absolute path of the PEM key.
    package let keyPath: String
    /// DNS names of the leaf, lower case.
    package let names: [String]
    package let notAfter: Date

    /// The name that connectors ask for over HTTP/2.
    package static let tunnelName = "h2.cftunnel.com"

    /// Reads both files and checks that they parse, belong together, and are valid now.
    ///
    /// - Parameters:
    ///   - purpose: such as "tunnel"; named in errors together with the file.
    ///   - requiredName: a DNS name that the certificate must carry.
    package static func check(
        certificatePath: String, keyPath: String, purpose: String, requiredName: String? = nil, now: Date
    ) throws -> ServerCertificate {
        func refuse(_ path: String, _ reason: String, _ cause: (any Error)? = nil) -> StoreError {
            StoreError(.configuration, "the \(purpose) certificate: \(path): \(reason)", cause: cause)
        }
        let leaf: Certificate
        do {
            let documents = try PEMDocument.parseMultiple(pemString: try read(certificatePath))
            guard let first = documents.first(where: { $0.discriminator == Certificate.defaultPEMDiscriminator })
            else { throw refuse(certificatePath, "there is no CERTIFICATE block in it; give a PEM file, leaf first") }
            leaf = try Certificate(pemDocument: first)
        } catch let error as StoreError {
            throw error
        } catch {
            throw refuse(certificatePath, "it is not a PEM certificate", error)
        }
        let key: Certificate.PrivateKey
        do {
            let documents = try PEMDocument.parseMultiple(pemString: try read(keyPath))
            guard let first = documents.first(where: { $0.discriminator.hasSuffix("PRIVATE KEY") })
            else { throw refuse(keyPath, "there is no PRIVATE KEY block in it; give an unencrypted PEM key") }
            key = try Certificate.PrivateKey(pemDocument: first)
        } catch let error as StoreError {
            throw error
        } catch {
            throw refuse(keyPath, "it is not an unencrypted PEM key of a known kind (EC, RSA, Ed25519)")
        }
        guard key.publicKey == leaf.publicKey else {
            throw refuse(keyPath, "the key does not belong to \(certificatePath)")
        }
        guard leaf.notValidAfter > now else {
            throw refuse(certificatePath, "it expired on \(day(leaf.notValidAfter)); renew it")
        }
        guard leaf.notValidBefore <= now else {
            throw refuse(
                certificatePath, "it is not valid before \(day(leaf.notValidBefore)); check this machine's clock")
        }
        let names = try dnsNames(of: leaf)
        if let requiredName, !names.contains(where: { covers($0, requiredName) }) {
            throw refuse(
                certificatePath,
                "it does not carry the name \(requiredName), which connectors ask for; it carries "
                    + (names.isEmpty ? "none" : names.joined(separator: ", ")))
        }
        return ServerCertificate(
            certificatePath: certificatePath, keyPath: keyPath, names: names, notAfter: leaf.notValidAfter)
    }

    /// Whether a client that asks for `name` (lower case) accepts this certificate's names.
    package func covers(_ name: String) -> Bool {
        names.contains { Self.covers($0, name) }
    }

    private static func read(_ path: String) throws -> String {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            let reason = FileManager.default.fileExists(atPath: path) ? "it cannot be read" : "there is no such file"
            throw StoreError(.configuration, "\(path): \(reason)")
        }
        guard data.count <= 1 << 20 else {
            throw StoreError(.configuration, "\(path): larger than 1 MiB; this is no PEM file")
        }
        return String(decoding: data, as: UTF8.self)
    }

    private static func dnsNames(of leaf: Certificate) throws -> [String] {
        guard let alternatives = try leaf.extensions.subjectAlternativeNames else { return [] }
        return alternatives.compactMap {
            if case .dnsName(let name) = $0 { name.lowercased() } else { nil }
        }
    }

    /// Whether a certificate's name is `name`, or a wildcard for it.
    private static func covers(_ pattern: String, _ name: String) -> Bool {
        if pattern == name { return true }
        guard pattern.hasPrefix("*."), let dot = name.firstIndex(of: ".") else { return false }
        return pattern.dropFirst() == name[dot...]
    }

    private static func day(_ date: Date) -> String {
        String(date.formatted(.iso8601).prefix(10))
    }
}
