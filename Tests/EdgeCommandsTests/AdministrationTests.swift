import AccessPolicy
import ArgumentParser
import EdgeStore
import Foundation
import Testing
import TunnelConfig

@testable import EdgeCommands

/// Command lines as people and scripts type them, run in this process on a data directory of their own.
@Suite struct AdministrationTests {
    @Test func `from init to a guarded hostname`() async throws {
        try await TestEdge.with { edge in
            let created = try await edge.json("tunnel create desk")
            let id = try #require(created["id"] as? String)
            #expect(UUID(uuidString: id) != nil)
            let credentials = try TunnelToken.parse(try #require(created["token"] as? String))
            #expect(credentials.tunnelID.lowercased == id)
            #expect(try await edge.text("tunnel token desk") == created["token"] as? String)
            #expect(try await edge.json("tunnel token \(id)")["token"] as? String == created["token"] as? String)

            let closed = try await edge.text("route add rdp.site.test desk")
            #expect(closed.contains("rdp.site.test leads to tunnel desk (new)"))
            #expect(closed.contains("closed to visitors until you open it"))
            #expect(closed.contains("cloudflared-edge access app add 'rdp.site.test' --service-token"))
            #expect(try await edge.json("route add rdp.site.test \(id)")["access"] as? String == "closed")

            let token = try await edge.json("access token create --name laptop")
            let clientID = try #require(token["client_id"] as? String)
            let secret = try #require(token["client_secret"] as? String)
            #expect(clientID.hasSuffix(".access") && token["id"] as? String == clientID)
            let app = try await edge.json("access app add rdp.site.test --service-token \(clientID)")
            #expect(app["access"] as? String == "service-token")
            let store = try await edge.store()
            let access = try await store.access().configuration
            #expect(try access.decision("rdp.site.test", clientID, secret).isForward)
            #expect(try !access.decision("rdp.site.test", clientID, "wrong").isForward)
            #expect(try access.decision("x.site.test") == .unguarded)
            #expect(try await store.routing().tunnel(for: "rdp.site.test")?.name == "desk")
            try store.close()

            // Lists name everything but the secrets.
            let runToken = try #require(created["token"] as? String)
            let routes = try await edge.text("route list")
            #expect(routes.contains("rdp.site.test  desk    \(id)  service-token"))
            #expect(try await edge.text("tunnel list").contains(id))
            for list in ["tunnel list", "route list", "access app list", "access token list"] {
                for format in ["text", "json"] {
                    let output = try await edge.text("\(list) --output \(format)")
                    #expect(!output.contains(secret) && !output.contains(runToken))
                }
            }
            _ = try await edge.text("access app remove rdp.site.test")
            _ = try await edge.text("access token remove \(clientID)")
            let deleted = try await edge.text("tunnel delete \(id)")
            #expect(deleted == "Deleted tunnel desk (\(id)) and its routes rdp.site.test")
            #expect(try await edge.text("route list").hasPrefix("There are no routes"))
        }
    }

    @Test func `an imported tunnel keeps id, account and secret`() async throws {
        try await TestEdge.with { edge in
            let credentials = TunnelCredentials(
                accountTag: "other", tunnelSecret: TunnelSecret(Array(repeating: 7, count: 32)), tunnelID: UUID())
            let file = "\(edge.path)-credentials.json"
            try credentials.json.write(toFile: file, atomically: true, encoding: .utf8)
            defer { try? FileManager.default.removeItem(atPath: file) }
            #expect(
                try await edge.json("tunnel import --credentials-file \(file)")["id"] as? String
                    == credentials.tunnelID.lowercased)
            let store = try await edge.store()
            #expect(try await store.tunnel(credentials.tunnelID)?.credentials == credentials)
            try store.close()
            #expect(try await edge.failure("tunnel import --credentials-file \(file)").contains("is known already"))
            try "{".write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await edge.failure("tunnel import --credentials-file \(file)").contains(file))
            #expect(try await edge.failure("tunnel import --credentials-file /nonexistent").contains("/nonexistent"))
        }
    }

    @Test func `an imported service token opens with the secret it had`() async throws {
        try await TestEdge.with { edge in
            let secret = "0123456789abcdef0123456789abcdef"
            let line = "access token import --client-id a.access --client-secret \(secret) --name"
            #expect(
                try await edge.failure(line.replacingOccurrences(of: secret, with: "s3cret") + " old").contains(
                    "32 or more"))
            _ = try await edge.text(line + " old")
            _ = try await edge.text("access app add *.site.test --service-token a.access")
            let store = try await edge.store()
            let access = try await store.access().configuration
            try store.close()
            #expect(try access.decision("x.site.test", "a.access", secret).isForward)
            #expect(try await edge.failure(line + " n").contains("exists already"))
        }
    }

    @Test(arguments: [
        ("route add rdp.other.test desk", "not inside this edge's zone site.test"),
        ("route add api.site.test desk", "answered by the edge itself"),
        ("route add rdp.site.test nobody", "there is no tunnel \"nobody\""),
        ("route remove rdp.site.test", "there is no route for rdp.site.test"),
        ("access app add rdp.site.test --service-token x.access", "there is no service token x.access"),
        ("access app add rdp.other.test --open", "not inside this edge's zone site.test"),
        ("access app remove rdp.site.test", "there is no application"),
        ("access token remove x.access", "there is no service token"),
        ("tunnel create desk", "\"desk\" exists already"),
        ("tunnel delete nobody", "there is no tunnel"),
    ])
    func `what cannot be done says why`(_ line: String, _ reason: String) async throws {
        try await TestEdge.with { edge in
            _ = try await edge.text("tunnel create desk")
            #expect(try await edge.failure(line).contains(reason))
        }
    }

    @Test func `a hostname of another tunnel is taken only when asked to`() async throws {
        try await TestEdge.with { edge in
            _ = try await edge.text("tunnel create one")
            _ = try await edge.text("tunnel create two")
            _ = try await edge.text("route add a.site.test one")
            #expect(try await edge.failure("route add a.site.test two").contains("\"one\""))
            #expect(try await edge.json("route add a.site.test two --overwrite")["change"] as? String == "updated")
        }
    }

    @Test(arguments: [
        "bogus", "init", "init --data-dir /x", "tunnel create", "access app add rdp.site.test --data-dir /x",
        "access app add rdp.site.test --open --service-token a --data-dir /x",
        "init --data-dir /x --zone z --tunnel-cert f",
        "access token import --client-id a --name n --data-dir /x", "tunnel list --data-dir /x --output yaml",
    ])
    func `a wrong command line ends with 2`(_ line: String) async {
        #expect(await EdgeCommand.execute(line.split(separator: " ").map(String.init)) == 2)
    }

    @Test(arguments: [[], ["tunnel"], ["access", "app"]])
    func `a command without its subcommand ends with 2`(_ words: [String]) async {
        #expect(await EdgeCommand.execute(words) == 2)
        #expect(await EdgeCommand.execute(words + ["--help"]) == 0)
    }

    @Test func `a hostname may follow the service tokens`() throws {
        let words = "access app add --service-token a --service-token b rdp.site.test --data-dir /x"
        let command = try EdgeCommand.parseAsRoot(words.split(separator: " ").map(String.init))
        let add = try #require(command as? AccessAppAddCommand)
        #expect(add.host == "rdp.site.test")
        #expect(add.serviceTokens == ["a", "b"])
    }

    @Test func `every object in JSON has an id`() async throws {
        try await TestEdge.with { edge in
            _ = try await edge.text("tunnel create desk")
            _ = try await edge.text("route add a.site.test desk")
            _ = try await edge.text("access app add a.site.test --open")
            _ = try await edge.text("access token create --name laptop")
            for list in ["tunnel list", "route list", "access app list", "access token list"] {
                let text = try await edge.text(list + " --output json")
                let items = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]]
                #expect(items?.count == 1 && items?.first?["id"] is String, "\(list)")
            }
            for removal in ["access app remove a.site.test", "route remove a.site.test"] {
                #expect((try await edge.json(removal)["id"] as? String)?.isEmpty == false, "\(removal)")
            }
        }
    }

    @Test func `connections that a killed edge left do not keep a tunnel alive, those of a running one do`()
        async throws
    {
        try await TestEdge.with { edge in
            let text = try #require(try await edge.json("tunnel create desk")["id"] as? String)
            let id = try #require(UUID(uuidString: text))
            let store = try await edge.store()
            try await store.connectionOpened(Self.connection(of: id))
            try store.close()
            let lock = try DataDirectoryLock(DataDirectory.open(at: edge.path))
            #expect(try await edge.failure("tunnel delete desk").contains("delete it with --force"))
            withExtendedLifetime(lock) {}
        }
        try await TestEdge.with { edge in
            let text = try #require(try await edge.json("tunnel create desk")["id"] as? String)
            let id = try #require(UUID(uuidString: text))
            let store = try await edge.store()
            try await store.connectionOpened(Self.connection(of: id))
            try store.close()
            #expect(try await edge.text("tunnel delete desk").hasPrefix("Deleted tunnel desk"))
        }
    }

    @Test func `a store is closed when its work has failed`() async throws {
        try await TestEdge.with { edge in
            let store = try await edge.store()
            #expect(try await store.closing { "done" } == "done")
            await #expect(throws: (any Error).self) { try await store.account() }
            let other = try await edge.store()
            await #expect(throws: CancellationError.self) {
                try await other.closing { () async throws -> Void in throw CancellationError() }
            }
            await #expect(throws: (any Error).self) { try await other.account() }
        }
    }

    @Test func `an edge that cannot start leaves its data directory free`() async throws {
        try await TestEdge.with { edge in
            #expect(await EdgeCommand.execute(["run", "--data-dir", edge.path, "--https-listen", "nowhere"]) != 0)
            _ = try DataDirectoryLock(DataDirectory.open(at: edge.path))
        }
    }

    @Test func `exit codes are the documented ones`() async throws {
        try await TestEdge.with { edge in
            func code(_ line: String, at path: String? = nil) async -> Int32 {
                await EdgeCommand.execute(
                    line.split(separator: " ").map(String.init) + ["--data-dir", path ?? edge.path])
            }
            #expect(await code("tunnel list") == 0)
            #expect(await code("init --zone site.test") == 78)
            #expect(await code("tunnel list", at: "/nonexistent") == 78)
            #expect(await code("tunnel delete nobody") == 1)
            #expect(await code("route add x.other.test nobody") == 2)
            #expect(await EdgeCommand.execute(["--help"]) == 0)
            #expect(await EdgeCommand.execute(["version"]) == 0)
            try Data(repeating: 1, count: 4096).write(to: URL(fileURLWithPath: "\(edge.path)/edge.sqlite"))
            #expect(await code("tunnel list") == 69)
        }
    }

    // MARK: Fixture

    private static func connection(of tunnelID: UUID) -> ConnectionRecord {
        ConnectionRecord(
            id: UUID(), tunnelID: tunnelID, connectorID: UUID(), index: 0, location: "x", originIP: "127.0.0.1",
            version: "x", architecture: "x", features: [], openedAt: Date(), edgeID: UUID())
    }
}

extension AccessConfiguration {
    /// About a visit without a login.
    func decision(_ host: String, _ clientID: String? = nil, _ secret: String = "") throws -> AccessDecision {
        decide(
            RequestFacts(authority: host, target: "/", address: try #require(IPAddress("192.0.2.1"))), identity: nil,
            serviceToken: clientID.map {
                PresentedServiceToken(clientID: $0, clientSecret: ServiceTokenSecret(secret))
            }, now: Date())
    }
}
