import Access
package import ArgumentParser
import EdgeStore
import Foundation

/// `access key rotate`: a new key for tokens; the old ones stay valid until their last token has ended.
package struct AccessKeyRotateCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Make a new key for tokens. Signs two hours from now, when everybody knows it."
    )

    @Flag(help: "Sign by it at once; connectors that do not know it yet refuse visitors until they look again.")
    package var now = false

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let (id, pem) = try TokenSigner.generateKey()
        let time = administration.now
        let from = now ? time : time.addingTimeInterval(2 * 3600)
        try await administration.store.addSigningKey(
            SigningKey(id: id, purpose: .tokens, privateKeyPEM: pem, createdAt: time, signsFrom: from))
        try await administration.record("signing key \(id) made")
        return try Report(
            "Made the key \(id), which signs from \(from.formatted(.iso8601)) on", json: Made(id: id, signsFrom: from))
    }

    private struct Made: Encodable {
        let id: String
        let signsFrom: Date
    }
}
