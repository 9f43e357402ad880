import AccessPolicy
import EdgeStore
import Foundation
import TunnelConfig

extension Administration {
    /// Reads the Access configuration, works out changes and makes them; once more when somebody else changed the store
    /// meanwhile, as every login does. Gives what was changed.
    @discardableResult
    func edit(
        _ what: String, _ work: (AccessFile) throws -> [AccessDocument.Change]
    ) async throws -> [AccessDocument.Change] {
        var attempt = 0
        while true {
            attempt += 1
            let (documents, version) = try await store.accessDocuments()
            let changes = try work(try AccessFile(documents))
            try check(changes)
            do {
                try await store.changeAccess(changes, expecting: version)
            } catch let error as StoreError where error.code == .conflict && attempt < 20 {
                continue
            }
            if !changes.isEmpty { try await record(what) }
            return changes
        }
    }

    /// Sees whether changes could be made, without making them: on a copy in memory.
    func tryOut(_ documents: [AccessDocument], _ changes: [AccessDocument.Change]) async throws {
        try check(changes)
        let copy = MemoryStore(account: account)
        for token in try await store.access().configuration.tokens.values { try await copy.addServiceToken(token) }
        try await copy.changeAccess(documents.map { .put($0) }, expecting: nil)
        try await copy.changeAccess(changes, expecting: nil)
    }

    private func check(_ changes: [AccessDocument.Change]) throws {
        for case .put(let document) in changes where document.kind == .application {
            try account.check(
                try AccessFile([document], isWhole: false).applications, teamHost: directory.settings.teamHost)
        }
    }

    /// Writes an administrator's change to the audit log.
    func record(_ what: String, as action: AuditEvent.Action = .admin) async throws {
        var event = AuditEvent(action, outcome: "ok", at: now)
        event.user = NSUserName()
        event.reason = what
        try await AuditLog(path: directory.path(of: .audit)).write([event])
    }

    /// Reads selectors of a command line; service tokens by client id too.
    func selectors(_ texts: [String]) async throws -> [Selector] {
        let tokens = try await store.access().configuration.tokens
        return try texts.map { text in
            let selector = try Selector.parse(text)
            guard case .serviceToken(let id) = selector,
                let token = tokens[ServiceTokenID(rawValue: id.description)]
            else { return selector }
            return .serviceToken(ExactText(token.recordID))
        }
    }
}
