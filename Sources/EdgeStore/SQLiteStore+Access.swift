package import AccessPolicy
import Foundation
import GRDB

extension SQLiteStore {
    package func policy() async throws -> PolicySnapshot {
        try await read { db in
            let grants = try Row.fetchAll(db, sql: "SELECT hostname, clientID FROM applicationToken")
            let tokensOf = Dictionary(grouping: grants) { $0["hostname"] as String }
                .mapValues { rows in Set(rows.map { ServiceTokenID(rawValue: $0["clientID"]) }) }
            // A hostname that cannot be read opens nothing.
            let applications = try Row.fetchAll(db, sql: "SELECT * FROM application").compactMap { row in
                ApplicationHostname(row["hostname"]).map {
                    Application(hostname: $0, mode: row["open"] ? .open : .serviceToken(tokensOf[$0.text] ?? []))
                }
            }
            let tokens = try Row.fetchAll(db, sql: "SELECT * FROM serviceToken").map { row in
                ServiceTokenRecord(
                    id: ServiceTokenID(rawValue: row["clientID"]), secretHash: Array(row["secretHash"] as Data),
                    name: row["name"], createdAt: row.date("createdAt"), expiresAt: row.optionalDate("expiresAt"))
            }
            return PolicySnapshot(applications: applications, tokens: tokens)
        }
    }

    package func setApplication(_ application: Application) async throws {
        if try await policy().applications.contains(application) { return }
        try await change { db, _ in
            let name = application.hostname.text
            try db.execute(sql: "DELETE FROM application WHERE hostname = ?", arguments: [name])
            try db.execute(
                sql: "INSERT INTO application VALUES (?, ?)", arguments: [name, application.mode == .open])
            guard case .serviceToken(let ids) = application.mode else { return }
            for id in ids.map(\.rawValue).sorted() {
                guard try Self.hasServiceToken(db, id) else { throw StoreError.noServiceToken(id) }
                try db.execute(sql: "INSERT INTO applicationToken VALUES (?, ?)", arguments: [name, id])
            }
        }
    }

    package func removeApplication(_ hostname: String) async throws {
        try await change { db, _ in
            try db.execute(sql: "DELETE FROM application WHERE hostname = ?", arguments: [hostname])
            guard db.changesCount == 1 else { throw StoreError.noApplication(hostname) }
        }
    }

    package func addServiceToken(_ token: ServiceTokenRecord) async throws {
        try await change { db, _ in
            guard try !Self.hasServiceToken(db, token.id.rawValue) else {
                throw StoreError.serviceTokenTaken(token.id.rawValue)
            }
            try db.execute(
                sql: "INSERT INTO serviceToken VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    token.id.rawValue, Data(token.secretHash), token.name, token.createdAt.timeIntervalSince1970,
                    token.expiresAt?.timeIntervalSince1970,
                ])
        }
    }

    package func removeServiceToken(_ id: ServiceTokenID) async throws {
        try await change { db, _ in
            let user = try String.fetchOne(
                db, sql: "SELECT MIN(hostname) FROM applicationToken WHERE clientID = ?", arguments: [id.rawValue])
            if let user { throw StoreError.serviceTokenUsed(id.rawValue, by: user) }
            try db.execute(sql: "DELETE FROM serviceToken WHERE clientID = ?", arguments: [id.rawValue])
            guard db.changesCount == 1 else { throw StoreError.noServiceToken(id.rawValue) }
        }
    }

    private static func hasServiceToken(_ db: Database, _ clientID: String) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM serviceToken WHERE clientID = ?)", arguments: [clientID]) ?? false
    }
}
