import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation

/// `access export`: the configuration as `apply` takes it, but for the secrets.
package struct AccessExportCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Print the configuration as `apply -f` takes it; secrets stay where they are.")

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let documents = try await administration.store.accessDocuments().documents
        var root: [String: Any] = [:]
        for document in documents {
            let object = try document.redacted(as: AccessDocument.redaction)
            switch document.kind {
            case .settings: root.merge(object) { $1 }
            case .application, .group, .ipList, .identityProvider:
                root[document.kind.key] = (root[document.kind.key] as? [Any] ?? []) + [object]
            }
        }
        let text = String(
            decoding: try JSONSerialization.data(
                withJSONObject: root, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]), as: UTF8.self)
        return Report(text: text, json: text)
    }
}
