import AccessPolicy
import Foundation
import GRDB

/// The store of an edge on one host: a SQLite file in write-ahead mode.
///
/// Any number of processes may have the file open: each change is one immediate transaction that also moves the
/// revision, and whoever finds the file locked waits up to five seconds. Reads see one consistent state.
package final class SQLiteStore: Sendable {
    let pool: DatabasePool
    private let path: String

    /// Opens the file, makes it when it is not there, and brings its schema up to date.
    package init(path: String) throws {
        self.path = path
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            configuration.foreignKeysEnabled = true
            configuration.maximumReaderCount = 4
            pool = try DatabasePool(path: path, configuration: configuration)
            try Schema.migrator.migrate(pool)
        } catch {
            throw Self.explain(error, path: path)
        }
    }

    /// Closes the file. The store is of no use afterwards.
    package func close() throws {
        do { try pool.close() } catch { throw Self.explain(error, path: path) }
    }

    func read<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await pool.read(body)
        } catch {
            throw Self.explain(error, path: path)
        }
    }

    /// One transaction that others need not notice: live connections.
    func write<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await pool.write(body)
        } catch {
            throw Self.explain(error, path: path)
        }
    }

    /// One transaction that moves the version. `body` gets the new one; a body that throws leaves the old.
    func change<Value: Sendable>(_ body: @Sendable (Database, Int) throws -> Value) async throws -> Value {
        try await write { db in
            try db.execute(sql: "UPDATE revision SET value = value + 1")
            return try body(db, try Self.revision(db))
        }
    }

    static func revision(_ db: Database) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT value FROM revision") ?? 0
    }

    private static func explain(_ error: any Error, path: String) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        let remedy =
            switch error.resultCode {
            case .SQLITE_BUSY, .SQLITE_LOCKED: "another process holds it; try again"
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: "it is damaged; restore it from a backup"
            case .SQLITE_FULL: "the disk is full; make room"
            case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM: "run as the user who owns it, on a writable disk"
            default: "see the reason"
            }
        return StoreError(.unavailable, "the edge's database \(path): \(remedy)", cause: error)
    }
}

/// The tables. A released migration is never changed; a new one is added.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 account, tunnels, routes, Access, connections") { db in
            try db.execute(sql: first)
        }
        return migrator
    }

    /// Ids are lower-case text, times are seconds since 1970.
    private static let first = """
        CREATE TABLE revision (value INTEGER NOT NULL);
        INSERT INTO revision VALUES (0);
        CREATE TABLE account (
            id TEXT NOT NULL PRIMARY KEY, zoneID TEXT NOT NULL, zone TEXT NOT NULL, team TEXT NOT NULL,
            tokenHash BLOB NOT NULL, createdAt REAL NOT NULL
        ) STRICT;
        CREATE TABLE tunnel (
            id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, accountTag TEXT NOT NULL, secret BLOB NOT NULL,
            createdAt REAL NOT NULL, deletedAt REAL
        ) STRICT;
        CREATE UNIQUE INDEX liveTunnelName ON tunnel(name) WHERE deletedAt IS NULL;
        CREATE TABLE route (
            hostname TEXT NOT NULL PRIMARY KEY, tunnelID TEXT NOT NULL REFERENCES tunnel(id), createdAt REAL NOT NULL
        ) STRICT;
        CREATE INDEX routeOfTunnel ON route(tunnelID);
        CREATE TABLE configuration (
            tunnelID TEXT NOT NULL PRIMARY KEY REFERENCES tunnel(id), json TEXT NOT NULL, updatedAt REAL NOT NULL
        ) STRICT;
        CREATE TABLE connection (
            id TEXT NOT NULL PRIMARY KEY, tunnelID TEXT NOT NULL, connectorID TEXT NOT NULL, number INTEGER NOT NULL,
            location TEXT NOT NULL, originIP TEXT NOT NULL, version TEXT NOT NULL, architecture TEXT NOT NULL,
            features TEXT NOT NULL, openedAt REAL NOT NULL, edgeID TEXT NOT NULL
        ) STRICT;
        CREATE INDEX connectionOfTunnel ON connection(tunnelID);
        CREATE TABLE cleanup (
            version INTEGER NOT NULL PRIMARY KEY, tunnelID TEXT NOT NULL, connectorID TEXT
        ) STRICT;
        CREATE TABLE application (hostname TEXT NOT NULL PRIMARY KEY, open INTEGER NOT NULL) STRICT;
        CREATE TABLE serviceToken (
            clientID TEXT NOT NULL PRIMARY KEY, secretHash BLOB NOT NULL, name TEXT NOT NULL, createdAt REAL NOT NULL,
            expiresAt REAL
        ) STRICT;
        CREATE TABLE applicationToken (
            hostname TEXT NOT NULL REFERENCES application(hostname) ON DELETE CASCADE,
            clientID TEXT NOT NULL REFERENCES serviceToken(clientID),
            PRIMARY KEY (hostname, clientID)
        ) STRICT;
        """
}
