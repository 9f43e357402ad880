package import Foundation
import TunnelConfig

/// The directory in which one edge keeps everything: certificates, keys, `edge.yml`, the database.
package struct DataDirectory: Sendable {
    /// Absolute.
    package let path: String
    package let settings: EdgeSettings
    package let tunnelCertificate: ServerCertificate
    package let visitorCertificate: ServerCertificate

    /// Names of the files inside.
    package enum File: String, CaseIterable, Sendable {
        /// The authority's certificate: what connectors and visitors are given to trust.
        case authority = "ca.pem"
        case authorityKey = "ca-key.pem"
        case tunnelCertificate = "tunnel.pem"
        case tunnelKey = "tunnel-key.pem"
        case visitorCertificate = "visitor.pem"
        case visitorKey = "visitor-key.pem"
        /// The account certificate for `cloudflared --origincert`.
        case accountCertificate = "cert.pem"
        case database = "edge.sqlite"
        case settings = "edge.yml"
        /// Who was let in and what was changed.
        case audit = "audit.log"
    }

    package func path(of file: File) -> String { Self.join(path, file.rawValue) }

    /// The authority that signs this edge's own certificates.
    package func authority() throws -> CertificateAuthority {
        do {
            return try CertificateAuthority(
                certificatePEM: try String(contentsOfFile: path(of: .authority), encoding: .utf8),
                keyPEM: try String(contentsOfFile: path(of: .authorityKey), encoding: .utf8))
        } catch {
            throw StoreError(
                .configuration, "the authority's files ca.pem and ca-key.pem in \(path) cannot be read; restore them",
                cause: error)
        }
    }

    /// Opens an edge's directory and checks `edge.yml` and every file it names.
    package static func open(at path: String, now: Date = Date()) throws -> DataDirectory {
        let root = absolute(path)
        let settingsPath = join(root, File.settings.rawValue)
        guard let data = FileManager.default.contents(atPath: settingsPath) else {
            if FileManager.default.fileExists(atPath: settingsPath) {
                throw StoreError(.configuration, "\(settingsPath) cannot be read; run as the user who owns it")
            }
            throw StoreError(
                .configuration,
                "\(root) is not an edge's data directory (no edge.yml); "
                    + "make one with `cloudflared-edge init --data-dir \(path) --zone ZONE`")
        }
        let settings = try EdgeSettings.parse(String(decoding: data, as: UTF8.self), path: settingsPath)
        func check(_ files: EdgeSettings.Files, _ purpose: String, _ name: String?) throws -> ServerCertificate {
            try ServerCertificate.check(
                certificatePath: join(root, files.certificate), keyPath: join(root, files.key), purpose: purpose,
                requiredName: name, now: now)
        }
        return DataDirectory(
            path: root, settings: settings,
            tunnelCertificate: try check(settings.tunnelFiles, "tunnel", ServerCertificate.tunnelName),
            visitorCertificate: try check(settings.visitorFiles, "visitor", nil))
    }

    /// Opens the database; several processes may.
    package func openStore() async throws -> SQLiteStore {
        let database = path(of: .database)
        guard FileManager.default.fileExists(atPath: database) else {
            throw StoreError(.configuration, "\(database) is missing; restore it from a backup or make a new directory")
        }
        let store = try SQLiteStore(path: database)
        let account = try await store.account()
        guard account.zone == settings.zone, account.team == settings.team else {
            throw StoreError(
                .configuration,
                "\(path(of: .settings)): zone and team are \(settings.zone) and \(settings.team), but this directory was "
                    + "made for \(account.zone) and \(account.team); put those back, or make a new data directory")
        }
        return store
    }

    static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }

    static func join(_ directory: String, _ name: String) -> String {
        if name.hasPrefix("/") { return name }
        return directory == "/" ? "/\(name)" : "\(directory)/\(name)"
    }
}
