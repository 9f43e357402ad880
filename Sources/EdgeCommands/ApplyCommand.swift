import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation
import ServiceHost
import TunnelConfig

/// `apply -f access.yml`: makes the Access configuration what the file says, and nothing else.
package struct ApplyCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Make the Access configuration what a file says. What is not in it is removed.",
        discussion: "Service tokens, sessions and keys are no part of the file and stay.")

    @Option(name: .shortAndLong, help: ArgumentHelp("YAML or JSON, as `access export` prints it.", valueName: "FILE"))
    package var file: String

    @Flag(help: "Say what would change, and change nothing.")
    package var dryRun = false

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let text: String
        do {
            text = try SmallFile.read(file, limit: 4 << 20).text
        } catch {
            throw StoreError(.configuration, "--file: give a file that can be read", cause: error)
        }
        let wanted = try AccessFile.parse(text, path: file, secrets: { name throws(ConfigError) in try secret(name) })
            .resolvingFiles { path(of: $0) }
        var lines: [String] = []
        let changes: (AccessFile) throws -> [AccessDocument.Change] = { current in
            let diff = try AccessDiff(from: current.documents, to: try wanted.keepingSecrets(of: current).documents)
            lines = diff.lines
            return diff.changes
        }
        if dryRun {
            let (documents, _) = try await administration.store.accessDocuments()
            let made = try changes(try AccessFile(documents))
            try await administration.tryOut(documents, made)
        } else {
            try await administration.edit("\(file) applied", changes)
        }
        let end =
            lines.isEmpty
            ? "Nothing to change." : dryRun ? "Nothing was changed, since this is a dry run." : "Applied."
        return try Report(
            (lines + [end]).joined(separator: "\n"),
            json: Applied(id: file, applied: !dryRun && !lines.isEmpty, diff: lines))
    }

    private func path(of name: String) -> String {
        if name.hasPrefix("/") { return name }
        return URL(fileURLWithPath: file).deletingLastPathComponent().appending(path: name).standardizedFileURL.path
    }

    private func secret(_ name: String) throws(ConfigError) -> String {
        do {
            return try FileSecret(path: path(of: name)).secret.exposed
        } catch {
            throw ConfigError("\(error)")
        }
    }

    private struct Applied: Encodable {
        let id: String
        let applied: Bool
        let diff: [String]
    }
}

extension AccessFile {
    /// With the stored secret of each provider whose own is the word that `access export` prints for it.
    fileprivate func keepingSecrets(of current: AccessFile) throws -> AccessFile {
        try mapProviders { provider in
            guard provider.clientSecret.text == AccessDocument.redaction else { return provider }
            guard let former = current.providers.first(where: { $0.id == provider.id }) else {
                throw StoreError(
                    .invalid,
                    "the identity provider \(provider.id) is new, so its secret is not known; write client_secret_file")
            }
            // The new issuer would be sent the secret for the old one.
            guard former.issuer == provider.issuer else {
                throw StoreError(
                    .invalid,
                    "the identity provider \(provider.id) has another issuer now, so its secret is another; write "
                        + "client_secret_file")
            }
            var provider = provider
            provider.clientSecret = former.clientSecret
            return provider
        }
    }

    fileprivate func resolvingFiles(_ path: (String) -> String) -> AccessFile {
        mapProviders { provider in
            var provider = provider
            provider.authorityFile = provider.authorityFile.map(path)
            return provider
        }
    }
}
