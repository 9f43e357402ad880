import AccessPolicy
import EdgeStore
import Foundation
import Testing

/// Data directories that earlier versions made.
@Suite struct MigrationTests {
    /// What the first version wrote for Access, with hostnames that nobody can read among them.
    private static let first = """
        import sqlite3,sys
        c=sqlite3.connect(sys.argv[1])
        c.executescript('''
        DROP TABLE accessDocument; DROP TABLE accessUser; DROP TABLE accessSession; DROP TABLE revokedAudience;
        DROP TABLE signingKey; DROP TABLE serviceToken; DROP TABLE networkRoute; DROP TABLE virtualNetwork;
        CREATE TABLE application (hostname TEXT NOT NULL PRIMARY KEY, open INTEGER NOT NULL) STRICT;
        CREATE TABLE serviceToken (
            clientID TEXT NOT NULL PRIMARY KEY, secretHash BLOB NOT NULL, name TEXT NOT NULL, createdAt REAL NOT NULL,
            expiresAt REAL) STRICT;
        CREATE TABLE applicationToken (
            hostname TEXT NOT NULL REFERENCES application(hostname) ON DELETE CASCADE,
            clientID TEXT NOT NULL REFERENCES serviceToken(clientID), PRIMARY KEY (hostname, clientID)) STRICT;
        DELETE FROM grdb_migrations WHERE identifier NOT LIKE '1 %';
        INSERT INTO application VALUES ('open.site.test',1),('rdp.site.test',0),('none.site.test',0),
            ('*.wild_x.site.test',1),('not a host',1);
        INSERT INTO serviceToken VALUES ('a.access',x'00','laptop',1.5,NULL);
        INSERT INTO applicationToken VALUES ('rdp.site.test','a.access');
        ''')
        """

    @Test func `hostnames of the first version become applications that decide the same`() async throws {
        try await withTemporaryDirectory { path in
            let file = "\(path)/edge.sqlite"
            let fresh = try SQLiteStore(path: file)
            try await fresh.create(.sample)
            try fresh.close()
            let script = Process()
            script.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            script.arguments = ["python3", "-c", Self.first, file]
            try script.run()
            script.waitUntilExit()
            #expect(script.terminationStatus == 0)
            chmod(file, 0o644)
            let store = try SQLiteStore(path: file)
            let access = try await store.access().configuration
            func host(_ text: String) throws -> ApplicationHostname { try #require(ApplicationHostname(text)) }
            #expect(
                Set(access.applications) == [
                    .open(try host("open.site.test")), .forServiceTokens(["a.access"], at: try host("rdp.site.test")),
                    .forServiceTokens([], at: try host("none.site.test")), .open(try host("*.wild_x.site.test")),
                ])
            let token = try #require(access.tokens[ServiceTokenID(rawValue: "a.access")])
            #expect(token.recordID == "a.access" && token.name == "laptop")
            let networks = try await store.privateNetworks()
            #expect(networks.routes.isEmpty)
            #expect(networks.virtualNetworks.map(\.name) == ["default"])
            #expect(networks.virtualNetworks.first?.isDefault == true)
            #expect(
                await storeErrorCode { try await store.removeServiceToken(token.id) } == .inUse)
            try store.close()
            for name in try FileManager.default.contentsOfDirectory(atPath: path) {
                let mode = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")[.posixPermissions]
                #expect(mode as? Int == 0o600, "\(name)")
            }
        }
    }

    @Test func `a document that nobody can read closes everything`() async throws {
        try await withTemporaryDirectory { path in
            let file = "\(path)/edge.sqlite"
            let store = try SQLiteStore(path: file)
            try await store.create(.sample)
            let open = AccessApplication.open(try #require(ApplicationHostname("a.site.test")))
            try await store.changeAccess([.put(AccessDocument(open))], expecting: nil)
            let script = Process()
            script.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            script.arguments = [
                "python3", "-c",
                "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(\"UPDATE accessDocument SET json = replace(json,'bypass','pass')\"); c.commit()",
                file,
            ]
            try script.run()
            script.waitUntilExit()
            #expect(script.terminationStatus == 0)
            #expect(await storeErrorCode { _ = try await store.access() } == .unavailable)
            try store.close()
        }
    }
}
