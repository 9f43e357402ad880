import AccessPolicy
import Foundation
import GRDB
import TunnelConfig

/// The tables. A released migration is never changed; a new one is added.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 account, tunnels, routes, Access, connections") { db in
            try db.execute(sql: first)
        }
        migrator.registerMigration("2 Access documents, users, sessions, keys") { db in
            try db.execute(sql: second)
            try convertApplications(db)
        }
        migrator.registerMigration("3 private networks") { db in
            try db.execute(sql: third)
            let network = VirtualNetwork.first(at: Date())
            try db.execute(
                sql: "INSERT INTO virtualNetwork VALUES (?, ?, ?, ?, ?, NULL)",
                arguments: [
                    network.id.lowercased, network.name, network.comment, network.isDefault,
                    network.createdAt.timeIntervalSince1970,
                ])
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

    private static let second = """
        CREATE TABLE accessDocument (
            position INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL,
            UNIQUE (kind, id)
        ) STRICT;
        CREATE TABLE accessUser (
            provider TEXT NOT NULL, subject TEXT NOT NULL, id TEXT NOT NULL UNIQUE, PRIMARY KEY (provider, subject)
        ) STRICT;
        CREATE TABLE accessSession (
            id TEXT NOT NULL PRIMARY KEY, createdAt REAL NOT NULL, endsAt REAL NOT NULL, address TEXT NOT NULL,
            profile TEXT NOT NULL
        ) STRICT;
        CREATE TABLE revokedAudience (audience TEXT NOT NULL PRIMARY KEY, before REAL NOT NULL) STRICT;
        CREATE TABLE signingKey (
            id TEXT NOT NULL PRIMARY KEY, purpose TEXT NOT NULL, privateKeyPEM TEXT NOT NULL, createdAt REAL NOT NULL,
            signsFrom REAL NOT NULL, retiresAt REAL
        ) STRICT;
        ALTER TABLE serviceToken ADD COLUMN recordID TEXT;
        UPDATE serviceToken SET recordID = clientID;
        CREATE UNIQUE INDEX serviceTokenRecord ON serviceToken(recordID);
        """

    private static let third = """
        CREATE TABLE virtualNetwork (
            id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, comment TEXT NOT NULL, isDefault INTEGER NOT NULL,
            createdAt REAL NOT NULL, deletedAt REAL
        ) STRICT;
        CREATE UNIQUE INDEX liveVirtualNetworkName ON virtualNetwork(name) WHERE deletedAt IS NULL;
        CREATE UNIQUE INDEX defaultVirtualNetwork ON virtualNetwork(isDefault) WHERE isDefault;
        CREATE TABLE networkRoute (
            id TEXT NOT NULL PRIMARY KEY, network TEXT NOT NULL, tunnelID TEXT NOT NULL REFERENCES tunnel(id),
            virtualNetworkID TEXT NOT NULL REFERENCES virtualNetwork(id), comment TEXT NOT NULL,
            createdAt REAL NOT NULL, deletedAt REAL
        ) STRICT;
        CREATE UNIQUE INDEX liveNetwork ON networkRoute(virtualNetworkID, network) WHERE deletedAt IS NULL;
        CREATE INDEX networkRouteOfTunnel ON networkRoute(tunnelID);
        """

    /// Says by documents what the rows of the first version said. What cannot be said opens nothing.
    private static func convertApplications(_ db: Database) throws {
        let grants = try Row.fetchAll(db, sql: "SELECT hostname, clientID FROM applicationToken")
        let tokens = Dictionary(grouping: grants) { $0["hostname"] as String }.mapValues { rows in
            rows.map { $0["clientID"] as String }
        }
        for row in try Row.fetchAll(db, sql: "SELECT * FROM application ORDER BY hostname") {
            guard let host = ApplicationHostname(row["hostname"]) else { continue }
            let document = AccessDocument(
                row["open"] ? .open(host) : .forServiceTokens(tokens[host.text] ?? [], at: host))
            guard (try? AccessFile([document])) != nil else { continue }
            try db.execute(
                sql: "INSERT INTO accessDocument (kind, id, json) VALUES (?, ?, ?)",
                arguments: [document.kind.rawValue, document.id, document.json])
        }
        try db.execute(sql: "DROP TABLE applicationToken; DROP TABLE application")
    }
}
