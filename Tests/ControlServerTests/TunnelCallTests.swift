import ControlServer
import EdgeStore
import Foundation
import NIOCore
import Testing
import TunnelConfig

@Suite struct TunnelCallTests {
    private let api = API()

    @Test func `a created tunnel has an id, the token of its secret, and status 200`() async throws {
        let secret = Data((0..<32).map { UInt8($0) }).base64EncodedString()
        let answer = await api.call("POST", api.tunnels, body: #"{"name":"one","tunnel_secret":"\#(secret)"}"#)
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "application/json")
        #expect(answer.json["success"] as? Bool == true)
        #expect((answer.json["errors"] as? [Any])?.isEmpty == true)
        #expect((answer.json["messages"] as? [Any])?.isEmpty == true)
        #expect(answer.object["name"] as? String == "one")
        #expect(answer.object["deleted_at"] is NSNull)
        let id = try #require(answer.object["id"] as? String)
        #expect(id == id.lowercased())
        let credentials = try TunnelToken.parse(try #require(answer.object["token"] as? String))
        #expect(credentials.accountTag == API.accountID)
        #expect(credentials.tunnelID.lowercased == id)
        #expect(credentials.tunnelSecret == TunnelSecret((0..<32).map { UInt8($0) }))
        let token = await api.call("GET", "\(api.tunnels)/\(id)/token")
        #expect(token.result as? String == answer.object["token"] as? String)
    }

    @Test(arguments: [
        ("", "the body is not"), ("{", "the body is not"), ("[]", "the body is not"),
        (#"{"name":7}"#, "the body is not"),
        (#"{"name":""}"#, "1 to 255"), (#"{"name":"f174e90a-fafe-4643-bbbc-4a0ed4fc8415"}"#, "looks like a tunnel id"),
        (#"{"name":"a","tunnel_secret":"c2hvcnQ="}"#, "at least 32 bytes"),
        (#"{"name":"a","tunnel_secret":"!"}"#, "at least 32 bytes"),
    ])
    func `a bad creation is refused with its reason`(_ body: String, _ reason: String) async {
        let answer = await api.call("POST", api.tunnels, body: body)
        #expect(answer.status == 400)
        #expect(answer.message.contains(reason))
        #expect(answer.json["result"] is NSNull)
    }

    @Test func `a name that lives already is a conflict`() async {
        _ = await api.create("one")
        let answer = await api.call("POST", api.tunnels, body: #"{"name":"one"}"#)
        #expect(answer.status == 409)
        #expect(answer.message.contains("\"one\" exists already"))
    }

    @Test func `without the account's token nothing is answered`() async {
        for authorization in [
            nil, "", "Bearer", "Bearer ", "Bearer wrong", "Basic \(API.token)", API.token, "Bearer \(API.token)x",
        ] {
            for (method, path) in [("GET", api.tunnels), ("POST", api.tunnels), ("PUT", "/zones/x/tunnels/y/routes")] {
                let answer = await api.call(method, path, authorization: authorization)
                #expect(answer.status == 401)
                #expect(answer.error["code"] as? Int == 10000)
                #expect(answer.headers["www-authenticate"] == "Bearer")
                #expect(answer.headers["content-type"] == "application/json")
            }
        }
        #expect(await api.call("GET", api.tunnels, authorization: "bearer \(API.token)").status == 200)
    }

    @Test func `another account and unknown calls are not found`() async {
        #expect(await api.call("GET", "/accounts/other/cfd_tunnel").status == 404)
        #expect(await api.call("GET", "/nothing").status == 404)
        #expect(await api.call("PATCH", api.tunnels).status == 404)
        let outside = await api.server.respond(method: "GET", path: "/", headers: [], body: ByteBuffer())
        #expect(outside.status == 404)
        let odd = await api.server.respond(method: "G T", path: "/", headers: [], body: ByteBuffer())
        #expect(odd.status == 400)
        let large = await api.server.respond(
            method: "POST", path: "/client/v4\(api.tunnels)", headers: [],
            body: ByteBuffer(repeating: 0, count: 1 << 20 + 1))
        #expect(large.status == 413)
    }

    @Test(arguments: ["not-a-uuid", "%00", "..", "f174e90a-fafe-4643-bbbc-4a0ed4fc8415"])
    func `a tunnel that is not there is refused`(_ id: String) async {
        for suffix in ["", "/token", "/connections"] {
            let answer = await api.call("GET", "\(api.tunnels)/\(id)\(suffix)")
            #expect([400, 404].contains(answer.status))
            #expect(!answer.message.isEmpty)
        }
    }

    @Test func `lists are filtered and paged, with their place in the whole`() async throws {
        for index in 0..<5 { _ = await api.create("t\(index)") }
        let gone = await api.create("gone")
        #expect(await api.call("DELETE", "\(api.tunnels)/\(gone)").status == 200)
        func names(_ query: String) async -> [String] {
            await api.call("GET", "\(api.tunnels)?\(query)").list.compactMap { $0["name"] as? String }.sorted()
        }
        #expect(await names("is_deleted=false") == ["t0", "t1", "t2", "t3", "t4"])
        #expect(await names("is_deleted=true") == ["gone"])
        #expect(await names("").count == 6)
        #expect(await names("is_deleted=false&name=t3&page=1") == ["t3"])
        #expect(await names("name_prefix=go") == ["gone"])
        #expect(await names("exclude_prefix=t") == ["gone"])
        #expect(await names("uuid=\(gone)") == ["gone"])
        #expect(await names("name=t+3").isEmpty)
        #expect(await names("existed_at=2020-01-01T00:00:00Z").isEmpty)
        #expect(await names("is_deleted=false&existed_at=2030-01-01T00:00:00Z").count == 5)
        let page = await api.call("GET", "\(api.tunnels)?is_deleted=false&per_page=2&page=3")
        #expect(page.list.count == 1)
        let info = try #require(page.json["result_info"] as? [String: Int])
        #expect(info == ["count": 1, "page": 3, "per_page": 2, "total_count": 5])
        let beyond = await api.call("GET", "\(api.tunnels)?page=9223372036854775807&per_page=1000")
        #expect(beyond.status == 200)
        #expect(beyond.list.isEmpty)
    }

    @Test(arguments: ["is_deleted=perhaps", "uuid=1", "existed_at=now", "page=x", "per_page=1e9"])
    func `a filter that is none is refused`(_ query: String) async {
        #expect(await api.call("GET", "\(api.tunnels)?\(query)").status == 400)
    }

    @Test(arguments: ["name=%zz", "%", "name=%F", "a=b&\u{7f}", "name=ü", "&&=&", "name=%ff"])
    func `an odd query is answered`(_ query: String) async {
        #expect(await api.call("GET", "\(api.tunnels)?\(query)").status == 200)
    }

    @Test func `a tunnel with connections is deleted by force only`() async throws {
        let id = await api.create("one")
        let tunnelID = try #require(UUID(uuidString: id))
        let connector = UUID()
        for index in 0..<2 { try await api.store.connectionOpened(connection(tunnelID, connector, index)) }
        try await api.store.connectionOpened(connection(tunnelID, UUID(), 2))
        let tunnel = await api.call("GET", "\(api.tunnels)/\(id)")
        #expect((tunnel.object["connections"] as? [[String: Any]])?.count == 3)

        let connectors = await api.call("GET", "\(api.tunnels)/\(id)/connections").list
        #expect(connectors.count == 2)
        let first = try #require(connectors.first)
        #expect(first["id"] as? String == connector.lowercased)
        #expect(first["arch"] as? String == "linux_amd64")
        #expect(first["version"] as? String == "2026.8.2")
        #expect(first["features"] as? [String] == ["x"])
        #expect(first["run_at"] as? String == "2027-01-15T08:00:00.000Z")
        let conns = try #require(first["conns"] as? [[String: Any]])
        #expect(conns.map { $0["colo_name"] as? String } == ["edge01", "edge01"])

        let refused = await api.call("DELETE", "\(api.tunnels)/\(id)")
        #expect(refused.status == 400)
        #expect(refused.message.contains("3 live connections"))
        #expect(await api.call("DELETE", "\(api.tunnels)/\(id)/connections?client_id=x").status == 400)
        let before = await api.store.version()
        #expect(
            await api.call("DELETE", "\(api.tunnels)/\(id)/connections?client_id=\(connector.lowercased)").status == 200
        )
        #expect(await api.call("GET", "\(api.tunnels)/\(id)/connections").list.count == 1)
        #expect(await api.store.version() > before)
        let deleted = await api.call("DELETE", "\(api.tunnels)/\(id)?cascade=true")
        #expect(deleted.status == 200)
        #expect(deleted.object["deleted_at"] as? String == "2027-01-15T08:00:00.000Z")
        #expect(await api.call("GET", "\(api.tunnels)/\(id)").object["deleted_at"] is String)
        #expect(await api.call("GET", "\(api.tunnels)/\(id)/token").status == 404)
        #expect(await api.call("DELETE", "\(api.tunnels)/\(id)").status == 404)
    }

    private func connection(_ tunnel: UUID, _ connector: UUID, _ index: Int) -> ConnectionRecord {
        ConnectionRecord(
            id: UUID(), tunnelID: tunnel, connectorID: connector, index: index, location: "edge01",
            originIP: "192.0.2.1", version: "2026.8.2", architecture: "linux_amd64", features: ["x"],
            openedAt: API.start.addingTimeInterval(Double(index)), edgeID: UUID())
    }

    @Test func `a tunnel gets another secret and another name`() async throws {
        let id = await api.create("one")
        let tunnelID = try #require(UUID(uuidString: id))
        let former = try #require(await api.store.tunnel(tunnelID)).secret
        let secret = Data(repeating: 7, count: 32).base64EncodedString()
        let answer = await api.call("PATCH", "\(api.tunnels)/\(id)", body: #"{"tunnel_secret":"\#(secret)"}"#)
        #expect(answer.status == 200 && answer.object["id"] as? String == id)
        #expect(answer.object["tunnel_secret"] == nil && answer.object["token"] == nil)
        let token = await api.call("GET", "\(api.tunnels)/\(id)/token")
        let credentials = try TunnelToken.parse(try #require(token.result as? String))
        #expect(credentials.tunnelSecret == TunnelSecret([UInt8](repeating: 7, count: 32)))
        #expect(credentials.tunnelSecret != former)
        #expect(await api.store.routing().cleanups.map(\.tunnelID) == [tunnelID])
        let renamed = await api.call("PATCH", "\(api.tunnels)/\(id)", body: #"{"name":"home"}"#)
        #expect(renamed.object["name"] as? String == "home")
        #expect(await api.store.routing().cleanups.count == 1)
        let short = await api.call("PATCH", "\(api.tunnels)/\(id)", body: #"{"tunnel_secret":"c2hvcnQ="}"#)
        #expect(short.status == 400 && short.message.contains("at least 32 bytes"))
        #expect(await api.call("PATCH", "\(api.tunnels)/\(UUID().uuidString)", body: "{}").status == 404)
    }

    @Test func `a management token is refused with the reason`() async {
        let id = await api.create("one")
        let answer = await api.call("POST", "\(api.tunnels)/\(id)/management/logs")
        #expect(answer.status == 400)
        #expect(answer.message.contains("gives no management tokens"))
        #expect(await api.call("POST", "\(api.tunnels)/\(UUID().uuidString)/management/logs").status == 404)
    }
}
