import ControlAPI
import Foundation
import Hummingbird
import Logging
import NIOCore
import Testing
import TunnelConfig

/// The client against servers that answer what we say. The real account API is in ControlServerTests.
@Suite struct ControlAPIClientTests {
    private let tunnelID = UUID()

    @Test func `every call carries token, agent and version`() async throws {
        let answer =
            #"{"success":true,"errors":[],"result":[],"result_info":{"count":0,"page":1,"per_page":20,"total_count":0}}"#
        let seen = try await withServer({ _ in (.ok, answer) }) { client in
            _ = try await client.tunnels(APITunnelFilter())
        }
        let request = try #require(seen.first)
        #expect(request.headers[.authorization] == "Bearer s3cret")
        #expect(request.headers[.userAgent] == "cloudflared/2026.11.0")
        #expect(request.headers[.accept] == "application/json;version=1")
        #expect(request.headers[.contentType] == nil)
        #expect(request.path == "/client/v4/accounts/acc/cfd_tunnel?is_deleted=false&page=1")
    }

    @Test func `names in queries are encoded`() async throws {
        let answer = #"{"success":true,"errors":[],"result":[]}"#
        let seen = try await withServer({ _ in (.ok, answer) }) { client in
            var filter = APITunnelFilter()
            filter.name = "a b+c&d=ü"
            _ = try await client.tunnels(filter)
        }
        #expect(
            seen.first?.path == "/client/v4/accounts/acc/cfd_tunnel?is_deleted=false&name=a%20b%2Bc%26d%3D%C3%BC&page=1"
        )
    }

    @Test func `pages are asked for until they end`() async throws {
        let ids = (0..<5).map { _ in UUID() }
        let seen = try await withServer({ path in
            let page = path.hasSuffix("page=1") ? 1 : path.hasSuffix("page=2") ? 2 : 3
            let items = ids.dropFirst((page - 1) * 2).prefix(2).map { #"{"id":"\#($0.lowercased)","name":"t"}"# }
            return (
                .ok,
                #"{"success":true,"errors":[],"result":[\#(items.joined(separator: ","))],"result_info":{"count":\#(items.count),"page":\#(page),"per_page":2,"total_count":5}}"#
            )
        }) { client in
            let all = try await client.tunnels(APITunnelFilter())
            #expect(all.map(\.id) == ids)
        }
        #expect(seen.count == 3)
    }

    @Test(arguments: [
        (401, ControlAPIError.Code.unauthorized), (403, .unauthorized), (404, .notFound), (409, .conflict),
        (400, .refused), (500, .refused), (201, .refused), (302, .refused),
    ])
    func `a refusal names the hop, the server's reason and a remedy`(_ status: Int, _ code: ControlAPIError.Code)
        async throws
    {
        let answer = #"{"success":false,"errors":[{"code":1234,"message":"because"},{"code":"5","message":"so"}]}"#
        try await withServer({ _ in (HTTPResponse.Status(code: status), answer) }) { client in
            let error = await #expect(throws: ControlAPIError.self) {
                try await client.deleteTunnel(tunnelID, cascade: true)
            }
            #expect(error?.code == code)
            #expect(error?.message.contains("the account API at http://127.0.0.1:") == true)
            #expect(error?.message.contains("because (code 1234); so (code 5)") == true)
            #expect(error?.remedy.isEmpty == false)
            #expect(error.map { "\($0)".contains("s3cret") } == false)
        }
    }

    @Test func `a success that is none is an error`() async throws {
        for answer in [#"{"success":false,"errors":[]}"#, #"{"success":true,"errors":[{"code":1,"message":"x"}]}"#] {
            try await withServer({ _ in (.ok, answer) }) { client in
                let error = await #expect(throws: ControlAPIError.self) { _ = try await client.tunnel(tunnelID) }
                #expect(error?.code == .refused)
            }
        }
    }

    @Test func `an answer of something else says so`() async throws {
        for answer in [
            "", "<html>", "[]", #"{"success":true,"errors":[],"result":{"id":1}}"#, #"{"success":true,"result":null}"#,
        ] {
            try await withServer({ _ in (.ok, answer) }) { client in
                let error = await #expect(throws: ControlAPIError.self) { _ = try await client.tunnel(tunnelID) }
                #expect(error?.code == .badAnswer, "\(answer)")
            }
        }
    }

    @Test func `an answer without end is cut off`() async throws {
        let piece = String(repeating: " ", count: 1 << 20)
        let huge = String(repeating: piece, count: 9)
        try await withServer({ _ in (.ok, huge) }) { client in
            let error = await #expect(throws: ControlAPIError.self) { _ = try await client.tunnel(tunnelID) }
            #expect(error?.code == .badAnswer)
            #expect(error?.message.contains("more than 8 MiB") == true)
        }
    }

    @Test func `nobody there is unreachable`() async throws {
        // Port 9 of this host: nothing listens below 1024 that answers there.
        let error = await #expect(throws: ControlAPIError.self) {
            try await ControlAPIClient.with(
                configuration("http://127.0.0.1:9/client/v4"), logger: Logger(label: "test")
            ) {
                _ = try await $0.tunnel(tunnelID)
            }
        }
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("http://127.0.0.1:9/client/v4") == true)
    }

    @Test(arguments: ["", "api.site.test", "ftp://x/", "https://", "https://x/?a=b"])
    func `what is no address of an API is refused`(_ url: String) async {
        let error = await #expect(throws: ControlAPIError.self) {
            try await ControlAPIClient.with(configuration(url), logger: Logger(label: "test")) { _ in }
        }
        #expect(error?.code == .configuration)
    }

    @Test func `an authority file that is none is named`() async {
        var configuration = configuration("https://127.0.0.1:9")
        configuration.authorityFiles = ["/nonexistent/ca.pem"]
        let error = await #expect(throws: ControlAPIError.self) {
            try await ControlAPIClient.with(configuration, logger: Logger(label: "test")) { _ in }
        }
        #expect(error?.code == .configuration)
        #expect(error?.message == "--cacert: /nonexistent/ca.pem does not exist")
    }

    // MARK: Private networks

    private let routeID = UUID()
    private let networkID = UUID()

    private func answer(_ result: String) -> String { #"{"success":true,"errors":[],"result":\#(result)}"# }

    private var routeText: String {
        #"{"id":"\#(routeID.lowercased)","network":"10.0.0.0/8","tunnel_id":"\#(tunnelID.lowercased)","#
            + #""virtual_network_id":"\#(networkID.lowercased)","comment":"lab","created_at":"2026-01-02T03:04:05Z","#
            + #""deleted_at":"0001-01-01T00:00:00Z","tunnel_name":"home"}"#
    }

    @Test func `private routes are asked for in the official form`() async throws {
        let text = routeText
        let seen = try await withServer({ path in (.ok, answer(path.contains("?") ? "[\(text)]" : text)) }) { client in
            var filter = APINetworkRouteFilter()
            filter.subsetOf = "10.0.0.0/8"
            filter.virtualNetworkID = networkID
            let route = try #require(try await client.networkRoutes(filter).first)
            #expect(route.id == routeID && route.tunnelID == tunnelID && route.virtualNetworkID == networkID)
            #expect(route.network == "10.0.0.0/8" && route.tunnelName == "home" && route.comment == "lab")
            #expect(route.createdAt != nil && route.deletedAt == nil)
            #expect(try JSONDecoder().decode(APINetworkRoute.self, from: JSONEncoder().encode(route)) == route)
            _ = try await client.addNetworkRoute(
                APINetworkRouteCreation(
                    network: "10.0.0.0/8", tunnelID: tunnelID, comment: "", virtualNetworkID: nil))
            try await client.deleteNetworkRoute(routeID)
            let address = try #require(IPAddress("10.1.2.3"))
            #expect(try await client.networkRoute(of: address, virtualNetwork: nil) == route)
        }
        let base = "/client/v4/accounts/acc/teamnet/routes"
        #expect(
            seen.map { "\($0.method) \($0.path)" } == [
                "GET \(base)?tun_types=cfd_tunnel&is_deleted=false&network_subset=10.0.0.0/8&virtual_network_id="
                    + "\(networkID.lowercased)&page=1",
                "POST \(base)", "DELETE \(base)/\(routeID.lowercased)", "GET \(base)/ip/10.1.2.3",
            ])
        let sent = try JSONDecoder().decode([String: String].self, from: Data(seen[1].body.utf8))
        #expect(sent == ["network": "10.0.0.0/8", "tunnel_id": tunnelID.lowercased, "comment": ""])
    }

    @Test(arguments: [
        "null", "{}",
        #"{"id":"00000000-0000-0000-0000-000000000000","tunnel_id":"00000000-0000-0000-0000-000000000000"}"#,
    ])
    func `an address without a route has none`(result: String) async throws {
        try await withServer({ _ in (.ok, answer(result)) }) { client in
            let address = try #require(IPAddress("fd00::1"))
            #expect(try await client.networkRoute(of: address, virtualNetwork: networkID) == nil)
        }
    }

    @Test func `virtual networks are asked for in the official form`() async throws {
        let text =
            #"{"id":"\#(networkID.lowercased)","name":"lab","comment":"c","is_default_network":true,"created_at":""}"#
        let seen = try await withServer({ path in (.ok, answer(path.contains("is_deleted") ? "[\(text)]" : text)) }) {
            client in
            var filter = APIVirtualNetworkFilter()
            filter.name = "lab"
            filter.isDefault = true
            let network = try #require(try await client.virtualNetworks(filter).first)
            #expect(
                network == APIVirtualNetwork(id: networkID, name: "lab", comment: "c", isDefault: true, createdAt: nil))
            _ = try await client.addVirtualNetwork(name: "lab", comment: "", isDefault: false)
            try await client.changeVirtualNetwork(networkID, APIVirtualNetworkChange(comment: "x"))
            try await client.deleteVirtualNetwork(networkID, force: true)
        }
        let base = "/client/v4/accounts/acc/teamnet/virtual_networks"
        #expect(
            seen.map { "\($0.method) \($0.path)" } == [
                "GET \(base)?name=lab&is_default=true&is_deleted=false", "POST \(base)",
                "PATCH \(base)/\(networkID.lowercased)", "DELETE \(base)/\(networkID.lowercased)?force=true",
            ])
        #expect(seen[2].body == #"{"comment":"x"}"#)
        #expect(seen[1].body.contains(#""is_default_network":false"#) && seen[1].body.contains(#""comment":"""#))
    }

    @Test func `load balancers and management tokens are asked for in the official form`() async throws {
        let seen = try await withServer({ path in
            (.ok, answer(path.hasSuffix("routes") ? #"{"load_balancer":"new","pool":"unchanged"}"# : #""jwt""#))
        }) { client in
            let route = try await client.routeLoadBalancer(hostname: "app.test", pool: "p", toTunnel: tunnelID)
            #expect(route == APILoadBalancerRoute(loadBalancer: "new", pool: "unchanged"))
            #expect(try await client.managementToken(for: .hostDetails, ofTunnel: tunnelID) == "jwt")
        }
        #expect(
            seen.map { "\($0.method) \($0.path)" } == [
                "PUT /client/v4/zones/zone/tunnels/\(tunnelID.lowercased)/routes",
                "POST /client/v4/accounts/acc/cfd_tunnel/\(tunnelID.lowercased)/management/host_details",
            ])
        let sent = try JSONDecoder().decode([String: String].self, from: Data(seen[0].body.utf8))
        #expect(sent == ["type": "lb", "lb_name": "app.test", "lb_pool": "p"])
        #expect(seen[1].body.isEmpty)
    }

    // MARK: Fixture

    private func configuration(_ url: String) -> ControlAPIClient.Configuration {
        ControlAPIClient.Configuration(
            baseURL: url,
            account: OriginCertificate(zoneID: "zone", accountID: "acc", apiToken: APIToken("s3cret")),
            version: "2026.11.0")
    }

    struct Seen: Sendable {
        let method: String
        let path: String
        let headers: HTTPFields
        let body: String
    }

    /// Runs `body` with a client of a server that answers each path as told; gives back what the server saw.
    @discardableResult
    private func withServer(
        _ answer: @escaping @Sendable (String) -> (HTTPResponse.Status, String),
        _ body: @escaping @Sendable (ControlAPIClient) async throws -> Void
    ) async throws -> [Seen] {
        let seen = SeenRequests()
        let (ports, gotPort) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                let body = String(buffer: try await request.body.collect(upTo: 1 << 16))
                await seen.add(
                    Seen(
                        method: request.method.rawValue, path: request.head.path ?? "", headers: request.headers,
                        body: body))
                let (status, text) = answer(request.head.path ?? "")
                return Response(
                    status: status, headers: [.contentType: "application/json"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
            },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { gotPort.yield($0.localAddress?.port ?? 0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            var iterator = ports.makeAsyncIterator()
            let port = await iterator.next() ?? 0
            try await ControlAPIClient.with(
                configuration("http://127.0.0.1:\(port)/client/v4/"), logger: Logger(label: "test"), body)
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
        return await seen.all
    }
}

private actor SeenRequests {
    private(set) var all: [ControlAPIClientTests.Seen] = []
    func add(_ request: ControlAPIClientTests.Seen) { all.append(request) }
}
