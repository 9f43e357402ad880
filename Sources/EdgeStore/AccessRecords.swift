import AccessPolicy
import Foundation
import TunnelConfig

/// Documents and service tokens as a store keeps them, with the rules that every store keeps by.
struct AccessRecords {
    /// In the order in which they were added.
    private(set) var documents: [AccessDocument]
    var tokens: [ServiceTokenRecord]

    init(documents: [AccessDocument], tokens: [ServiceTokenRecord]) {
        self.documents = documents
        self.tokens = tokens
    }

    /// What to decide by. What cannot be read opens nothing: the whole of it is refused.
    func snapshot(sessions: [AccessSession], revokedBefore: [String: Date]) throws -> AccessSnapshot {
        do throws(ConfigError) {
            let file = try AccessFile(documents)
            return AccessSnapshot(
                configuration: try file.configuration(tokens: tokens), providers: file.providers, sessions: sessions,
                revokedBefore: revokedBefore)
        } catch {
            throw StoreError(
                .unavailable,
                "the Access configuration in the edge's database cannot be read, so that nobody passes; restore it from "
                    + "a backup, or remove what is named", cause: error)
        }
    }

    /// Makes the changes, and gives those that changed something: documents in the one form in which they are kept.
    mutating func apply(_ changes: [AccessDocument.Change]) throws -> [AccessDocument.Change] {
        var made: [AccessDocument.Change] = []
        for change in changes {
            switch change {
            case .put(let document):
                let document = try Self.plain(document)
                let index = documents.firstIndex { $0.kind == document.kind && $0.id == document.id }
                guard index.map({ documents[$0] != document }) ?? true else { continue }
                if let index { documents[index] = document } else { documents.append(document) }
                made.append(.put(document))
            case .remove(let kind, let id):
                guard let index = documents.firstIndex(where: { $0.kind == kind && $0.id == id }) else {
                    throw StoreError.noDocument(kind, id)
                }
                documents.remove(at: index)
                made.append(change)
            }
        }
        do throws(ConfigError) {
            let file = try AccessFile(documents)
            _ = try file.configuration(tokens: tokens)
            try file.checkReferences(tokens: tokens)
        } catch {
            throw StoreError(.invalid, "\(error)")
        }
        return made
    }

    /// Providers that were there before and are gone, or whose word means another thing now: what they vouched for does not
    /// count any more. With another issuer the people are others, too.
    func providersLost(since former: AccessRecords) throws -> [(id: String, withPeople: Bool)] {
        func providers(_ documents: [AccessDocument]) throws -> [IdentityProvider] {
            try AccessFile(documents.filter { $0.kind == .identityProvider }, isWhole: false).providers
        }
        let now = try providers(documents)
        return try providers(former.documents).compactMap { provider in
            guard let now = now.first(where: { $0.id == provider.id }), now.issuer == provider.issuer else {
                return (provider.id, true)
            }
            return now.vouchesAs(provider) ? nil : (provider.id, false)
        }
    }

    /// Refuses a token whose names are taken.
    func checkNew(_ token: ServiceTokenRecord) throws {
        guard !tokens.contains(where: { $0.id == token.id || $0.recordID == token.recordID }) else {
            throw StoreError.serviceTokenTaken(token.id.rawValue)
        }
    }

    /// Refuses to let go of a token that is not there, or that something names.
    func checkRemovable(_ id: ServiceTokenID) throws {
        guard let token = tokens.first(where: { $0.id == id }) else { throw StoreError.noServiceToken(id.rawValue) }
        // Where nothing can be read, nothing is open, and a token may go.
        if let user = (try? AccessFile(documents))?.user(ofServiceToken: token.recordID) {
            throw StoreError.serviceTokenUsed(id.rawValue, by: user)
        }
    }

    private static func plain(_ document: AccessDocument) throws -> AccessDocument {
        do throws(ConfigError) {
            return try AccessFile.plain(document)
        } catch {
            throw StoreError(.invalid, "\(error)")
        }
    }
}
