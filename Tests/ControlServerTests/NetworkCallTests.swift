import ControlAPI
import EdgeStore
import Foundation
import Testing
import TunnelConfig

/// Private routes and virtual networks: our client against our server, then what only a bare call can ask.
@Suite struct NetworkCallTests {
    private let api = API()
    private var routes: String { "/accounts/\(API.accountID)/teamnet/routes" }
    private var networks: String { "/accounts/\(API.accountID)/teamnet/virtual_networks" }

    @Test func `a private route's life`() async throws {
        try await api.withClient { client in
            let tunnel = try await client.createTunnel(name: "one", secret: .generate())
            let standard = try #require(try await client.virtualNetworks(APIVirtualNetworkFilter()).first)
            #expect(standard.isDefault && standard.name == "default" && standard.deletedAt == nil)
            let route = try await client.addNetworkRoute(
                APINetworkRouteCreation(
                    network: "10.0.0.0/8", tunnelID: tunnel.id, comment: "home & more", virtualNetworkID: nil))
            #expect(route.tunnelName == "one" && route.virtualNetworkID == standard.id && route.createdAt == API.start)
            let again = await #expect(throws: ControlAPIError.self) {
                _ = try await client.addNetworkRoute(
                    APINetworkRouteCreation(
                        network: "10.0.0.0/8", tunnelID: tunnel.id, comment: "", virtualNetworkID: standard.id))
            }
            #expect(again?.code == .conflict)
            #expect(again?.message.contains("10.0.0.0/8 leads to the tunnel \"one\"") == true)

            func listed(_ change: (inout APINetworkRouteFilter) -> Void) async throws -> [UUID] {
                var filter = APINetworkRouteFilter()
                change(&filter)
                return try await client.networkRoutes(filter).map(\.id)
            }
            #expect(try await listed { $0.subsetOf = "0.0.0.0/0" } == [route.id])
            #expect(try await listed { $0.subsetOf = "10.0.0.0/9" } == [])
            #expect(try await listed { $0.supersetOf = "10.9.0.0/16" } == [route.id])
            #expect(try await listed { $0.supersetOf = "0.0.0.0/0" } == [])
            #expect(try await listed { $0.comment = "home & more" } == [route.id])
            #expect(try await listed { $0.comment = "home" } == [])
            #expect(try await listed { $0.tunnelID = UUID() } == [])
            #expect(try await listed { $0.virtualNetworkID = standard.id } == [route.id])
            #expect(try await listed { $0.isDeleted = true } == [])

            let (inside, outside) = (try #require(IPAddress("10.1.2.3")), try #require(IPAddress("fd00::1")))
            #expect(try await client.networkRoute(of: inside, virtualNetwork: nil) == route)
            #expect(try await client.networkRoute(of: outside, virtualNetwork: standard.id) == nil)
            try await client.deleteNetworkRoute(route.id)
            #expect(try await client.networkRoute(of: inside, virtualNetwork: nil) == nil)
            #expect(try await listed { $0.isDeleted = true } == [route.id])
            let gone = await #expect(throws: ControlAPIError.self) { try await client.deleteNetworkRoute(route.id) }
            #expect(gone?.code == .notFound)
        }
    }

    @Test func `a virtual network's life`() async throws {
        try await api.withClient { client in
            let tunnel = try await client.createTunnel(name: "one", secret: .generate())
            let lab = try await client.addVirtualNetwork(name: "lab", comment: "c", isDefault: false)
            #expect(!lab.isDefault && lab.comment == "c")
            _ = try await client.addNetworkRoute(
                APINetworkRouteCreation(
                    network: "fd00::/8", tunnelID: tunnel.id, comment: "", virtualNetworkID: lab.id))
            try await client.changeVirtualNetwork(lab.id, APIVirtualNetworkChange(name: "work", isDefault: true))
            var filter = APIVirtualNetworkFilter()
            filter.isDefault = true
            let standard = try await client.virtualNetworks(filter)
            #expect(standard.map(\.name) == ["work"] && standard.first?.comment == "c")
            filter = APIVirtualNetworkFilter()
            filter.name = "default"
            let former = try #require(try await client.virtualNetworks(filter).first)
            #expect(!former.isDefault)
            let refused = await #expect(throws: ControlAPIError.self) {
                try await client.deleteVirtualNetwork(lab.id, force: true)
            }
            #expect(refused?.message.contains("make another the default first") == true)
            try await client.changeVirtualNetwork(former.id, APIVirtualNetworkChange(isDefault: true))
            let inUse = await #expect(throws: ControlAPIError.self) {
                try await client.deleteVirtualNetwork(lab.id, force: false)
            }
            #expect(inUse?.message.contains("has 1 route;") == true)
            try await client.deleteVirtualNetwork(lab.id, force: true)
            #expect(try await client.virtualNetworks(APIVirtualNetworkFilter()).map(\.id) == [former.id])
            #expect(try await client.networkRoutes(APINetworkRouteFilter()).isEmpty)
        }
    }

    @Test func `many routes come over several pages`() async throws {
        let id = await api.create("one")
        for index in 0..<5 {
            let answer = await api.call(
                "POST", routes, body: #"{"network":"10.\#(index).0.0/16","tunnel_id":"\#(id)"}"#)
            #expect(answer.status == 200)
        }
        try await api.withClient { client in
            var filter = APINetworkRouteFilter()
            filter.perPage = 2
            let names = try await client.networkRoutes(filter).map(\.network)
            #expect(names == (0..<5).map { "10.\($0).0.0/16" })
        }
        let page = await api.call("GET", "\(routes)?page=3&per_page=2")
        #expect(page.list.count == 1)
        #expect(
            page.json["result_info"] as? [String: Int] == ["count": 1, "page": 3, "per_page": 2, "total_count": 5])
        #expect(await api.call("GET", "\(routes)?page=9223372036854775807&per_page=2").list.isEmpty)
        #expect(await api.call("GET", "\(routes)?page=x").message.contains("page must be a number"))
        #expect(await api.call("GET", "\(networks)?per_page=1&page=2").list.isEmpty)
    }

    @Test func `a route goes by its network too, and an address without one gets zeros`() async {
        let id = await api.create("one")
        _ = await api.call("POST", routes, body: #"{"network":"fd00:1::/32","tunnel_id":"\#(id)","comment":""}"#)
        let found = await api.call("GET", "\(routes)/ip/fd00:1::5")
        #expect(found.object["tunnel_id"] as? String == id)
        let deleted = await api.call("DELETE", "\(routes)/network/fd00:1::%2F32")
        #expect(deleted.status == 200 && deleted.object["deleted_at"] is String)
        #expect(await api.call("DELETE", "\(routes)/network/fd00:1::%2F32").status == 404)
        let none = await api.call("GET", "\(routes)/ip/fd00:1::5")
        #expect(none.status == 200)
        #expect(none.object["tunnel_id"] as? String == "00000000-0000-0000-0000-000000000000")
        #expect(none.object["network"] as? String == "0.0.0.0/0")
    }

    @Test func `what cannot be done says why`() async {
        let id = await api.create("one")
        for (body, reason) in [
            (#"{"network":"10.0.0.0","tunnel_id":"\#(id)"}"#, "is no network"),
            (#"{"network":"10.0.0.0/8","tunnel_id":"x"}"#, "tunnel_id must be a UUID"),
            (#"{"network":"10.0.0.0/8","tunnel_id":"\#(id)","virtual_network_id":"x"}"#, "virtual_network_id must be"),
            (#"{}"#, "the body is not"),
        ] {
            let answer = await api.call("POST", routes, body: body)
            #expect(answer.status == 400 && answer.message.contains(reason), "\(body): \(answer.message)")
        }
        #expect(await api.call("GET", "\(routes)/ip/10.1").status == 400)
        #expect(await api.call("GET", "\(routes)?network_subset=x").status == 400)
        #expect(await api.call("DELETE", "\(routes)/network/%FF").status == 400)
        #expect(await api.call("PATCH", "\(networks)/x", body: "{}").status == 400)
        #expect(await api.call("PATCH", "\(networks)/\(UUID().uuidString)", body: "{}").status == 404)
        for path in ["/accounts/other/teamnet/routes", "/accounts/other/teamnet/virtual_networks"] {
            #expect(await api.call("GET", path).status == 404)
        }
        #expect(await api.call("GET", routes, authorization: nil).status == 401)
    }
}
