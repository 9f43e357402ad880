import ControlAPI
import EdgeStore
import Foundation
import Testing
import TunnelConfig

/// Our client against our server, over TLS on loopback, under a name of .localhost that no resolver is asked for.
@Suite struct ClientServerTests {
    private let api = API()

    @Test func `a tunnel's life`() async throws {
        try await api.withClient { client in
            let secret = TunnelSecret.generate()
            let made = try await client.createTunnel(name: "one", secret: secret)
            let credentials = try await client.credentials(ofTunnel: made.id)
            #expect(
                credentials == TunnelCredentials(accountTag: API.accountID, tunnelSecret: secret, tunnelID: made.id))
            let names = try await client.tunnels(APITunnelFilter()).map(\.name)
            #expect(names == ["one"])
            let route = try await client.routeDNS(hostname: "a.site.localhost", toTunnel: made.id, overwrite: false)
            #expect(route == APIRoute(change: "new", hostname: "a.site.localhost"))
            let connectors = try await client.connectors(ofTunnel: made.id)
            #expect(connectors.isEmpty)
            try await client.cleanUpConnections(ofTunnel: made.id)
            try await client.deleteTunnel(made.id, cascade: false)
            let deleted = try await client.tunnel(made.id)
            #expect(deleted.deletedAt == API.start)
            let left = try await client.tunnels(APITunnelFilter())
            #expect(left.isEmpty)
        }
    }

    @Test func `many tunnels come over several pages`() async throws {
        for index in 0..<7 { _ = await api.create("t\(index)") }
        try await api.withClient { client in
            var filter = APITunnelFilter()
            filter.perPage = 3
            let names = try await client.tunnels(filter).map(\.name).sorted()
            #expect(names == (0..<7).map { "t\($0)" })
        }
    }

    @Test func `to ensure twice is to have it once`() async throws {
        try await api.withClient { client in
            let first = try await client.ensureTunnelAndRoute(hostname: "rdp.site.localhost")
            #expect(first.tunnel.created && first.route == .new)
            let second = try await client.ensureTunnelAndRoute(hostname: "rdp.site.localhost")
            #expect(!second.tunnel.created && second.route == .unchanged)
            #expect(second.tunnel.credentials == first.tunnel.credentials)
            let count = try await client.tunnels(APITunnelFilter()).count
            #expect(count == 1)
        }
    }

    @Test func `a route that fails takes the tunnel made for it along, and no other`() async throws {
        let other = await api.create("other")
        _ = await api.route("rdp.site.localhost", to: other)
        try await api.withClient { client in
            let taken = await #expect(throws: ControlAPIError.self) {
                _ = try await client.ensureTunnelAndRoute(hostname: "rdp.site.localhost")
            }
            #expect(taken?.code == .conflict)
            #expect(taken?.message.contains("\"other\" (\(other))") == true)
            let outside = await #expect(throws: ControlAPIError.self) {
                _ = try await client.ensureTunnelAndRoute(hostname: "rdp.other.test", name: "other")
            }
            #expect(outside?.message.contains("not inside this edge's zone site.localhost") == true)
            let names = try await client.tunnels(APITunnelFilter()).map(\.name)
            #expect(names == ["other"])
            let forced = try await client.ensureTunnelAndRoute(hostname: "rdp.site.localhost", overwrite: true)
            #expect(forced.route == .updated)
        }
    }

    @Test func `a wrong token, an unknown authority, a wrong name and an expired certificate are told apart`()
        async throws
    {
        func failure(
            names: [String] = ["api.site.localhost"], trusted: Bool = true, token: String = API.token,
            notAfter: Date = Date().addingTimeInterval(3600)
        ) async -> ControlAPIError? {
            await #expect(throws: ControlAPIError.self) {
                _ = try await api.withClient(names: names, trusted: trusted, token: token, notAfter: notAfter) {
                    try await $0.tunnels(APITunnelFilter())
                }
            }
        }
        let token = await failure(token: "wrong")
        #expect(token?.code == .unauthorized)
        #expect(token?.message.contains("the token is not this account's") == true)
        let untrusted = await failure(trusted: false)
        #expect(untrusted?.code == .untrusted)
        #expect(untrusted?.remedy.contains("--cacert") == true)
        let wrongName = await failure(names: ["other.test"])
        #expect(wrongName?.code == .untrusted, "\(String(describing: wrongName))")
        let expired = await failure(notAfter: Date().addingTimeInterval(-60))
        #expect(expired?.code == .untrusted, "\(String(describing: expired))")
    }
}
