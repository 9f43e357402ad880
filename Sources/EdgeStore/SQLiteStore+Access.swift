package import AccessPolicy
package import Foundation
import GRDB
import TunnelConfig

extension SQLiteStore {
    package func access() async throws -> AccessSnapshot {
        try await read { db in
            let sessions = try Row.fetchAll(db, sql: "SELECT * FROM accessSession").map { try $0.session() }
            let revoked = try Row.fetchAll(db, sql: "SELECT * FROM revokedAudience").map {
                ($0["audience"] as String, $0.date("before"))
            }
            return try Self.accessRecords(db).snapshot(
                sessions: sessions, revokedBefore: Dictionary(revoked, uniquingKeysWith: max))
        }
    }

    package func accessDocuments() async throws -> (documents: [AccessDocument], version: Int) {
        try await read { db in (try Self.accessRecords(db).documents, try Self.revision(db)) }
    }

    package func changeAccess(_ changes: [AccessDocument.Change], expecting version: Int?) async throws {
        try await write { db in
            guard try version == nil || version == Self.revision(db) else { throw StoreError.changedMeanwhile }
            let former = try Self.accessRecords(db)
            var records = former
            let made = try records.apply(changes)
            guard !made.isEmpty else { return }
            for change in made {
                switch change {
                case .put(let document):
                    // The row stays, and with it the place in the order.
                    try db.execute(
                        sql: """
                            INSERT INTO accessDocument (kind, id, json) VALUES (?, ?, ?)
                            ON CONFLICT (kind, id) DO UPDATE SET json = excluded.json
                            """, arguments: [document.kind.rawValue, document.id, document.json])
                case .remove(let kind, let id):
                    try db.execute(
                        sql: "DELETE FROM accessDocument WHERE kind = ? AND id = ?", arguments: [kind.rawValue, id])
                }
            }
            for (provider, withPeople) in try records.providersLost(since: former) {
                if withPeople {
                    try db.execute(sql: "DELETE FROM accessUser WHERE provider = ?", arguments: [provider])
                }
                try db.execute(
                    sql:
                        "DELETE FROM accessSession WHERE json_valid(profile) AND json_extract(profile, '$.provider') = ?",
                    arguments: [provider])
            }
            try Self.moveRevision(db)
        }
    }

    package func addServiceToken(_ token: ServiceTokenRecord) async throws {
        try await change { db, _ in
            try Self.accessRecords(db).checkNew(token)
            try db.execute(
                sql: """
                    INSERT INTO serviceToken (clientID, recordID, secretHash, name, createdAt, expiresAt)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    token.id.rawValue, token.recordID, Data(token.secretHash), token.name,
                    token.createdAt.timeIntervalSince1970, token.expiresAt?.timeIntervalSince1970,
                ])
        }
    }

    package func removeServiceToken(_ id: ServiceTokenID) async throws {
        try await change { db, _ in
            try Self.accessRecords(db).checkRemovable(id)
            try db.execute(sql: "DELETE FROM serviceToken WHERE clientID = ?", arguments: [id.rawValue])
        }
    }

    private static func accessRecords(_ db: Database) throws -> AccessRecords {
        let documents = try Row.fetchAll(db, sql: "SELECT * FROM accessDocument ORDER BY position").map { row in
            guard let kind = AccessDocument.Kind(rawValue: row["kind"]) else {
                throw StoreError(
                    .unavailable,
                    "the edge's database holds Access documents that this version does not know; "
                        + "use the version that wrote them")
            }
            return AccessDocument(kind: kind, id: row["id"], json: row["json"])
        }
        let tokens = try Row.fetchAll(db, sql: "SELECT * FROM serviceToken").map { row in
            ServiceTokenRecord(
                id: ServiceTokenID(rawValue: row["clientID"]), recordID: row["recordID"],
                secretHash: Array(row["secretHash"] as Data), name: row["name"], createdAt: row.date("createdAt"),
                expiresAt: row.optionalDate("expiresAt"))
        }
        return AccessRecords(documents: documents, tokens: tokens)
    }

    // MARK: People

    package func userID(provider: String, subject: String) async throws -> String {
        try await write { db in
            let known = try String.fetchOne(
                db, sql: "SELECT id FROM accessUser WHERE provider = ? AND subject = ?", arguments: [provider, subject])
            if let known { return known }
            let id = UUID().lowercased
            try db.execute(sql: "INSERT INTO accessUser VALUES (?, ?, ?)", arguments: [provider, subject, id])
            try Self.moveRevision(db)
            return id
        }
    }

    package func openSession(_ session: AccessSession) async throws {
        let profile = String(decoding: try JSONEncoder().encode(session.profile), as: UTF8.self)
        try await change { db, _ in
            let isKnown = try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM accessSession WHERE id = ?)", arguments: [session.id])
            guard isKnown != true else { throw StoreError.sessionTaken }
            try db.execute(
                sql: "DELETE FROM accessSession WHERE endsAt <= ?", arguments: [session.createdAt.timeIntervalSince1970]
            )
            try db.execute(
                sql: "INSERT INTO accessSession VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    session.id, session.createdAt.timeIntervalSince1970, session.endsAt.timeIntervalSince1970,
                    session.address, profile,
                ])
            try db.execute(
                sql: """
                    DELETE FROM accessSession WHERE id IN (
                        SELECT id FROM accessSession WHERE json_valid(profile) AND json_extract(profile, '$.userID') = ?
                        ORDER BY createdAt DESC, rowid DESC LIMIT -1 OFFSET ?)
                    """, arguments: [session.profile.userID, AccessSession.mostPerUser])
        }
    }

    package func endSessions(_ selection: SessionSelection, at time: Date) async throws -> Int {
        try await write { db in
            let all = try Row.fetchAll(db, sql: "SELECT * FROM accessSession")
            var (ended, gone) = (0, 0)
            for row in all {
                let isOver = row.date("endsAt") <= time
                // Whatever cannot be read admits nobody, and goes when all go.
                let isChosen = try selection == .all || selection.covers(row.session())
                guard isOver || isChosen else { continue }
                try db.execute(sql: "DELETE FROM accessSession WHERE id = ?", arguments: [row["id"] as String])
                gone += 1
                if !isOver { ended += 1 }
            }
            if gone > 0 { try Self.moveRevision(db) }
            return ended
        }
    }

    package func revokeTokens(ofAudience audience: String, before time: Date) async throws {
        let time = time.roundedUp.timeIntervalSince1970
        try await write { db in
            try db.execute(
                sql: """
                    INSERT INTO revokedAudience VALUES (?, ?)
                    ON CONFLICT (audience) DO UPDATE SET before = excluded.before WHERE excluded.before > before
                    """, arguments: [audience, time])
            if db.changesCount > 0 { try Self.moveRevision(db) }
        }
    }

    // MARK: Keys

    package func signingKeys() async throws -> [SigningKey] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM signingKey ORDER BY createdAt, id").map { try $0.signingKey() }
        }
    }

    package func addSigningKey(_ key: SigningKey) async throws {
        try await change { db, _ in
            let isKnown = try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM signingKey WHERE id = ?)", arguments: [key.id])
            guard isKnown != true else { throw StoreError.signingKeyTaken(key.id) }
            try db.execute(
                sql: "INSERT INTO signingKey VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    key.id, key.purpose.rawValue, key.privateKeyPEM, key.createdAt.timeIntervalSince1970,
                    key.signsFrom.timeIntervalSince1970, key.retiresAt?.timeIntervalSince1970,
                ])
        }
    }

    package func retireSigningKey(id: String, at time: Date) async throws {
        try await change { db, _ in
            try db.execute(
                sql: "UPDATE signingKey SET retiresAt = ? WHERE id = ?", arguments: [time.timeIntervalSince1970, id])
            guard db.changesCount == 1 else { throw StoreError.noSigningKey(id) }
        }
    }

    package func removeSigningKey(id: String) async throws {
        try await change { db, _ in
            try db.execute(sql: "DELETE FROM signingKey WHERE id = ?", arguments: [id])
            guard db.changesCount == 1 else { throw StoreError.noSigningKey(id) }
        }
    }
}

extension Row {
    fileprivate func session() throws -> AccessSession {
        let json = Data((self["profile"] as String).utf8)
        guard let profile = try? JSONDecoder().decode(AccessSession.Profile.self, from: json) else {
            throw StoreError(.unavailable, "a session in the edge's database is damaged; end all of them")
        }
        return AccessSession(
            id: self["id"], createdAt: date("createdAt"), endsAt: date("endsAt"), address: self["address"],
            profile: profile)
    }

    fileprivate func signingKey() throws -> SigningKey {
        guard let purpose = SigningKey.Purpose(rawValue: self["purpose"]) else {
            throw StoreError(
                .unavailable, "a signing key in the edge's database is for something this version does not know")
        }
        return SigningKey(
            id: self["id"], purpose: purpose, privateKeyPEM: self["privateKeyPEM"], createdAt: date("createdAt"),
            signsFrom: date("signsFrom"), retiresAt: optionalDate("retiresAt"))
    }
}
