package import Foundation
import GRDB
package import TunnelConfig

extension SQLiteStore: ClusterStore {
    /// Writes the account into a new database. Throws `.directoryUsed` when there is one.
    package func create(_ account: Account) async throws {
        try await change { db, _ in
            guard try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM account") == 0 else {
                throw StoreError(.directoryUsed, "the database has an account already; nothing was changed")
            }
            try db.execute(
                sql: "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    account.id, account.zoneID, account.zone, account.team, Data(account.tokenHash),
                    account.createdAt.timeIntervalSince1970,
                ])
        }
    }

    package func account() async throws -> Account {
        try await read { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM account") else {
                throw StoreError(.configuration, "the database has no account; make a new data directory")
            }
            return Account(
                id: row["id"], zoneID: row["zoneID"], zone: row["zone"], team: row["team"],
                tokenHash: Array(row["tokenHash"] as Data), createdAt: row.date("createdAt"))
        }
    }

    package func version() async throws -> Int {
        try await read { try Self.revision($0) }
    }

    package func routing() async throws -> RoutingSnapshot {
        try await read { db in
            let tunnels = try Row.fetchAll(db, sql: "SELECT * FROM tunnel WHERE deletedAt IS NULL").map {
                try $0.tunnel()
            }
            let routes = try Row.fetchAll(db, sql: "SELECT * FROM route").map { try $0.route() }
            let cleanups = try Row.fetchAll(db, sql: "SELECT * FROM cleanup ORDER BY version").map {
                CleanupRequest(
                    version: $0["version"], tunnelID: try $0.uuid("tunnelID"),
                    connectorID: try $0.optionalUUID("connectorID"))
            }
            return RoutingSnapshot(
                version: try Self.revision(db),
                tunnels: Dictionary(tunnels.map { ($0.id, $0) }, uniquingKeysWith: { $1 }),
                routes: Dictionary(routes.map { ($0.hostname, $0.tunnelID) }, uniquingKeysWith: { $1 }),
                cleanups: cleanups)
        }
    }

    // MARK: Tunnels

    package func createTunnel(_ tunnel: TunnelRecord) async throws {
        try TunnelRecord.check(name: tunnel.name)
        try await change { db, _ in
            if let other = try Self.tunnel(db, tunnel.id) { throw StoreError.idTaken(by: other) }
            try Self.checkNameIsFree(db, tunnel)
            try db.execute(
                sql: "INSERT INTO tunnel VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    tunnel.id.lowercased, tunnel.name, tunnel.accountTag, Data(tunnel.secret.bytes),
                    tunnel.createdAt.timeIntervalSince1970, tunnel.deletedAt?.timeIntervalSince1970,
                ])
        }
    }

    package func tunnel(_ id: UUID) async throws -> TunnelRecord? {
        try await read { try Self.tunnel($0, id) }
    }

    package func tunnels(
        _ filter: TunnelFilter, offset: Int, limit: Int
    ) async throws -> (page: [TunnelRecord], total: Int) {
        try await read { db in
            // The name narrows in SQL, where it has an index; the rest is cheap enough in Swift.
            let rows: [Row] =
                if let name = filter.name {
                    try Row.fetchAll(
                        db, sql: "SELECT * FROM tunnel WHERE name = ? ORDER BY createdAt, id", arguments: [name])
                } else {
                    try Row.fetchAll(db, sql: "SELECT * FROM tunnel ORDER BY createdAt, id")
                }
            let matching = try rows.map { try $0.tunnel() }.filter(filter.matches)
            return (Array(matching.dropFirst(max(0, offset)).prefix(max(0, limit))), matching.count)
        }
    }

    package func changeTunnel(_ id: UUID, name: String?, secret: TunnelSecret?) async throws -> TunnelRecord {
        try await write { db in
            let former = try Self.liveTunnel(db, id)
            let tunnel = try former.changed(name: name, secret: secret)
            guard tunnel != former else { return former }
            try Self.checkNameIsFree(db, tunnel)
            try db.execute(
                sql: "UPDATE tunnel SET name = ?, secret = ? WHERE id = ?",
                arguments: [tunnel.name, Data(tunnel.secret.bytes), id.lowercased])
            try Self.moveRevision(db)
            if tunnel.secret != former.secret {
                try Self.cleanUp(db, id, connector: nil, version: try Self.revision(db))
            }
            return tunnel
        }
    }

    private static func checkNameIsFree(_ db: Database, _ tunnel: TunnelRecord) throws {
        let named = try Row.fetchOne(
            db, sql: "SELECT * FROM tunnel WHERE name = ? AND deletedAt IS NULL AND id <> ?",
            arguments: [tunnel.name, tunnel.id.lowercased])
        if let named { throw StoreError.nameTaken(by: try named.tunnel()) }
    }

    package func deleteTunnel(_ id: UUID, cascade: Bool, at time: Date) async throws {
        try await change { db, _ in
            let tunnel = try Self.liveTunnel(db, id)
            let count =
                try Int.fetchOne(
                    db, sql: "SELECT COUNT(*) FROM connection WHERE tunnelID = ?", arguments: [id.lowercased])
                ?? 0
            guard cascade || count == 0 else { throw StoreError.hasConnections(tunnel, count: count) }
            for table in ["route", "configuration", "connection"] {
                try db.execute(sql: "DELETE FROM \(table) WHERE tunnelID = ?", arguments: [id.lowercased])
            }
            try db.execute(
                sql: "UPDATE networkRoute SET deletedAt = ? WHERE tunnelID = ? AND deletedAt IS NULL",
                arguments: [time.timeIntervalSince1970, id.lowercased])
            try db.execute(
                sql: "UPDATE tunnel SET deletedAt = ? WHERE id = ?",
                arguments: [time.timeIntervalSince1970, id.lowercased])
        }
    }

    private static func tunnel(_ db: Database, _ id: UUID) throws -> TunnelRecord? {
        try Row.fetchOne(db, sql: "SELECT * FROM tunnel WHERE id = ?", arguments: [id.lowercased]).map {
            try $0.tunnel()
        }
    }

    private static func liveTunnel(_ db: Database, _ id: UUID) throws -> TunnelRecord {
        guard let tunnel = try tunnel(db, id), tunnel.deletedAt == nil else { throw StoreError.noTunnel(id) }
        return tunnel
    }

    // MARK: Routes

    package func setRoute(
        _ hostname: String, to tunnelID: UUID, overwrite: Bool, at time: Date
    ) async throws -> RouteChange {
        // Asked first without writing, so that setting what is set already moves nothing.
        let current = try await read { try Self.route($0, hostname) }
        if current?.tunnelID == tunnelID { return .unchanged }
        return try await change { db, _ in
            _ = try Self.liveTunnel(db, tunnelID)
            let taken = try Self.route(db, hostname)
            if let taken, taken.tunnelID != tunnelID, !overwrite {
                throw StoreError.hostnameTaken(hostname, by: try Self.tunnel(db, taken.tunnelID), id: taken.tunnelID)
            }
            try db.execute(
                sql: "INSERT OR REPLACE INTO route VALUES (?, ?, ?)",
                arguments: [hostname, tunnelID.lowercased, time.timeIntervalSince1970])
            return taken == nil ? .new : .updated
        }
    }

    package func routes() async throws -> [Route] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM route ORDER BY hostname").map { try $0.route() }
        }
    }

    package func removeRoute(_ hostname: String) async throws {
        try await change { db, _ in
            try db.execute(sql: "DELETE FROM route WHERE hostname = ?", arguments: [hostname])
            guard db.changesCount == 1 else { throw StoreError.noRoute(hostname) }
        }
    }

    private static func route(_ db: Database, _ hostname: String) throws -> Route? {
        try Row.fetchOne(db, sql: "SELECT * FROM route WHERE hostname = ?", arguments: [hostname]).map {
            try $0.route()
        }
    }

    // MARK: Configuration

    package func configuration(ofTunnel id: UUID) async throws -> StoredConfiguration? {
        try await read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM configuration WHERE tunnelID = ?", arguments: [id.lowercased]).map
            {
                StoredConfiguration(json: $0["json"], updatedAt: $0.date("updatedAt"))
            }
        }
    }

    package func setConfiguration(_ json: String, ofTunnel id: UUID, at time: Date) async throws {
        if try await configuration(ofTunnel: id)?.json == json { return }
        try await change { db, _ in
            _ = try Self.liveTunnel(db, id)
            try db.execute(
                sql: "INSERT OR REPLACE INTO configuration VALUES (?, ?, ?)",
                arguments: [id.lowercased, json, time.timeIntervalSince1970])
        }
    }

    // MARK: Connections

    package func connectionOpened(_ connection: ConnectionRecord) async throws {
        try await write { db in
            _ = try Self.liveTunnel(db, connection.tunnelID)
            try db.execute(
                sql: "INSERT OR REPLACE INTO connection VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    connection.id.lowercased, connection.tunnelID.lowercased, connection.connectorID.lowercased,
                    connection.index,
                    connection.location, connection.originIP, connection.version, connection.architecture,
                    connection.features.joined(separator: "\n"), connection.openedAt.timeIntervalSince1970,
                    connection.edgeID.lowercased,
                ])
        }
    }

    package func connectionClosed(_ id: UUID) async throws {
        try await write { try $0.execute(sql: "DELETE FROM connection WHERE id = ?", arguments: [id.lowercased]) }
    }

    package func forgetConnections(ofEdge edgeID: UUID?) async throws {
        try await write { db in
            if let edgeID {
                try db.execute(sql: "DELETE FROM connection WHERE edgeID = ?", arguments: [edgeID.lowercased])
            } else {
                try db.execute(sql: "DELETE FROM connection")
            }
        }
    }

    package func connections(ofTunnels ids: [UUID]) async throws -> [ConnectionRecord] {
        try await read { db in
            let statement = try db.makeStatement(
                sql: "SELECT * FROM connection WHERE tunnelID = ? ORDER BY openedAt, number")
            return try ids.flatMap { id in
                try Row.fetchAll(statement, arguments: [id.lowercased]).map { try $0.connection() }
            }
        }
    }

    package func cleanUpConnections(ofTunnel id: UUID, connector: UUID?) async throws {
        try await change { db, version in
            _ = try Self.liveTunnel(db, id)
            try Self.cleanUp(db, id, connector: connector, version: version)
        }
    }

    private static func cleanUp(_ db: Database, _ id: UUID, connector: UUID?, version: Int) throws {
        if let connector {
            try db.execute(
                sql: "DELETE FROM connection WHERE tunnelID = ? AND connectorID = ?",
                arguments: [id.lowercased, connector.lowercased])
        } else {
            try db.execute(sql: "DELETE FROM connection WHERE tunnelID = ?", arguments: [id.lowercased])
        }
        try db.execute(
            sql: "INSERT INTO cleanup VALUES (?, ?, ?)", arguments: [version, id.lowercased, connector?.lowercased])
        try db.execute(
            sql:
                "DELETE FROM cleanup WHERE version NOT IN (SELECT version FROM cleanup ORDER BY version DESC LIMIT ?)",
            arguments: [keptCleanups])
    }
}

extension Row {
    func date(_ column: String) -> Date { Date(timeIntervalSince1970: self[column]) }

    func optionalDate(_ column: String) -> Date? {
        (self[column] as Double?).map { Date(timeIntervalSince1970: $0) }
    }

    func optionalUUID(_ column: String) throws -> UUID? {
        (self[column] as String?).flatMap { UUID(uuidString: $0) }
    }

    func uuid(_ column: String) throws -> UUID {
        guard let id = try optionalUUID(column) else {
            throw StoreError(
                .unavailable, "the edge's database holds a damaged id in \(column); restore it from a backup")
        }
        return id
    }

    func tunnel() throws -> TunnelRecord {
        TunnelRecord(
            id: try uuid("id"), name: self["name"], accountTag: self["accountTag"],
            secret: TunnelSecret(Array(self["secret"] as Data)), createdAt: date("createdAt"),
            deletedAt: optionalDate("deletedAt"))
    }

    func route() throws -> Route {
        Route(hostname: self["hostname"], tunnelID: try uuid("tunnelID"), createdAt: date("createdAt"))
    }

    func connection() throws -> ConnectionRecord {
        ConnectionRecord(
            id: try uuid("id"), tunnelID: try uuid("tunnelID"), connectorID: try uuid("connectorID"),
            index: self["number"], location: self["location"], originIP: self["originIP"], version: self["version"],
            architecture: self["architecture"],
            features: (self["features"] as String).split(separator: "\n").map(String.init),
            openedAt: date("openedAt"), edgeID: try uuid("edgeID"))
    }
}
