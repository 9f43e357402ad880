import Foundation
import GRDB

/// The store of an edge on one host: a SQLite file in write-ahead mode.
///
/// Any number of processes may have the file open: each change is one immediate transaction that also moves the
/// revision, and whoever finds the file locked waits up to five seconds. Reads see one consistent state.
package final class SQLiteStore: Sendable {
    let pool: DatabasePool
    private let path: String

    /// Opens the file, makes it when it is not there, and brings its schema up to date. It holds secrets, so nobody but
    /// its owner may read it.
    package init(path: String) throws {
        self.path = path
        if !FileManager.default.fileExists(atPath: path) { try PrivateFile.create(path, "") }
        // SQLite gives its side files the mode of the database; there may be some from when it had another.
        for suffix in ["", "-wal", "-shm"] { try PrivateFile.restrict(path + suffix) }
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
            try Self.moveRevision(db)
            return try body(db, try Self.revision(db))
        }
    }

    static func moveRevision(_ db: Database) throws {
        try db.execute(sql: "UPDATE revision SET value = value + 1")
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
