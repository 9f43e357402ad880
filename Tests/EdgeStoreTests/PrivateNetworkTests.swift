import EdgeStore
import Foundation
import Testing
import TunnelConfig

/// Private routes, virtual networks, and what a tunnel's change does.
@Suite struct PrivateNetworkTests {
    private func network(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }

    @Test(arguments: StoreKind.allCases)
    func `the narrowest network serves an address, each virtual network for itself`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let (one, two) = (TunnelRecord.sample("one"), TunnelRecord.sample("two"))
            try await store.createTunnel(one)
            try await store.createTunnel(two)
            let (wide, narrow, v6) = (try network("10.0.0.0/8"), try network("10.1.0.0/16"), try network("fd00::/8"))
            let lab = try await store.changePrivateNetworks {
                _ = try $0.addRoute(to: wide, tunnel: one.id, virtualNetwork: nil, comment: "all", at: .at(0))
                _ = try $0.addRoute(to: narrow, tunnel: two.id, virtualNetwork: nil, comment: "", at: .at(1))
                _ = try $0.addRoute(to: v6, tunnel: two.id, virtualNetwork: nil, comment: "", at: .at(2))
                let lab = try $0.addVirtualNetwork(name: "lab", comment: "", isDefault: false, at: .at(3))
                _ = try $0.addRoute(to: wide, tunnel: two.id, virtualNetwork: lab.id, comment: "", at: .at(4))
                return lab
            }
            let networks = try await store.privateNetworks()
            func tunnel(_ text: String, _ space: UUID? = nil) throws -> String? {
                let address = try #require(IPAddress(text))
                return try networks.route(of: address, virtualNetwork: space)
                    .flatMap { networks.tunnels[$0.tunnelID]?.name }
            }
            #expect(try tunnel("10.2.0.1") == "one")
            #expect(try tunnel("10.1.2.3") == "two")
            #expect(try tunnel("::ffff:10.1.2.3") == "two")
            #expect(try tunnel("10.2.0.1", lab.id) == "two")
            #expect(try tunnel("fd12::1") == "two")
            #expect(try tunnel("192.0.2.1") == nil)
            #expect(networks.routes.map(\.createdAt) == [.at(0), .at(1), .at(2), .at(4)])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a change that is refused changes nothing, and says why`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let tunnel = TunnelRecord.sample("one")
            try await store.createTunnel(tunnel)
            let network = try network("10.0.0.0/8")
            let route = try await store.changePrivateNetworks {
                try $0.addRoute(to: network, tunnel: tunnel.id, virtualNetwork: nil, comment: "", at: .at(0))
            }
            let before = (try await store.version(), try await store.privateNetworks())
            let standard = try #require(before.1.virtualNetworks.first)
            #expect(standard.isDefault && standard.name == "default")
            func refused(_ change: @escaping @Sendable (inout PrivateNetworks) throws -> Void) async
                -> StoreError.Code?
            { await storeErrorCode { try await store.changePrivateNetworks(change) } }
            #expect(
                await refused {
                    _ = try $0.addVirtualNetwork(name: "lab", comment: "", isDefault: true, at: .at(1))
                    _ = try $0.addRoute(to: network, tunnel: UUID(), virtualNetwork: nil, comment: "", at: .at(1))
                } == .notFound)
            #expect(
                await refused {
                    _ = try $0.addRoute(to: network, tunnel: tunnel.id, virtualNetwork: nil, comment: "", at: .at(1))
                } == .networkTaken)
            #expect(
                await refused {
                    _ = try $0.addRoute(
                        to: network, tunnel: tunnel.id, virtualNetwork: UUID(), comment: "", at: .at(1))
                } == .notFound)
            #expect(
                await refused {
                    _ = try $0.addVirtualNetwork(name: "default", comment: "", isDefault: false, at: .at(1))
                } == .networkTaken)
            for name in ["", "a\n", UUID().uuidString] {
                #expect(
                    await refused {
                        _ = try $0.addVirtualNetwork(name: name, comment: "", isDefault: false, at: .at(1))
                    } == .invalid)
            }
            #expect(
                await refused { _ = try $0.deleteVirtualNetwork(standard.id, force: true, at: .at(1)) } == .inUse)
            #expect(
                await refused {
                    _ = try $0.changeVirtualNetwork(standard.id, name: nil, comment: nil, isDefault: false)
                } == .inUse)
            #expect(await refused { _ = try $0.deleteRoute(UUID(), at: .at(1)) } == .notFound)
            #expect(try await store.version() == before.0)
            #expect(try await store.privateNetworks() == before.1)
            _ = try await store.changePrivateNetworks { try $0.deleteRoute(route.id, at: .at(2)) }
            #expect(try await store.version() > before.0)
            #expect(try await store.privateNetworks().routes.first?.deletedAt == .at(2))
            #expect(await refused { _ = try $0.deleteRoute(route.id, at: .at(3)) } == .notFound)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `there is one default, and a deleted network or tunnel takes its routes along`(_ kind: StoreKind) async throws
    {
        try await kind.withStore { store in
            let tunnel = TunnelRecord.sample("one")
            try await store.createTunnel(tunnel)
            let (first, second) = (try network("10.0.0.0/8"), try network("172.16.0.0/12"))
            let lab = try await store.changePrivateNetworks {
                _ = try $0.addRoute(to: first, tunnel: tunnel.id, virtualNetwork: nil, comment: "", at: .at(0))
                return try $0.addVirtualNetwork(name: "lab", comment: "", isDefault: true, at: .at(0))
            }
            let standard = try #require(try await store.privateNetworks().virtualNetworks.first)
            #expect(!standard.isDefault)
            _ = try await store.changePrivateNetworks {
                try $0.addRoute(to: second, tunnel: tunnel.id, virtualNetwork: nil, comment: "", at: .at(1))
            }
            #expect(try await store.privateNetworks().routes.last?.virtualNetworkID == lab.id)
            #expect(
                await storeErrorCode {
                    _ = try await store.changePrivateNetworks {
                        try $0.deleteVirtualNetwork(standard.id, force: false, at: .at(2))
                    }
                } == .inUse)
            _ = try await store.changePrivateNetworks {
                try $0.deleteVirtualNetwork(standard.id, force: true, at: .at(2))
            }
            #expect(try await store.privateNetworks().routes.map(\.deletedAt) == [.at(2), nil])
            _ = try await store.changePrivateNetworks {
                try $0.addVirtualNetwork(name: "default", comment: "", isDefault: false, at: .at(3))
            }
            try await store.deleteTunnel(tunnel.id, cascade: false, at: .at(4))
            #expect(try await store.privateNetworks().routes.map(\.deletedAt) == [.at(2), .at(4)])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `another secret gives up the connections, another name does not`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let (one, two) = (TunnelRecord.sample("one"), TunnelRecord.sample("two"))
            try await store.createTunnel(one)
            try await store.createTunnel(two)
            let connection = ConnectionRecord.sample(one)
            try await store.connectionOpened(connection)
            #expect(
                await storeErrorCode { _ = try await store.changeTunnel(one.id, name: "two", secret: nil) }
                    == .tunnelTaken)
            #expect(
                await storeErrorCode { _ = try await store.changeTunnel(one.id, name: "", secret: nil) } == .invalid)
            #expect(
                await storeErrorCode { _ = try await store.changeTunnel(UUID(), name: "x", secret: nil) } == .notFound)
            let before = try await store.version()
            #expect(try await store.changeTunnel(one.id, name: "one", secret: one.secret) == one)
            #expect(try await store.version() == before)
            #expect(try await store.changeTunnel(one.id, name: "home", secret: nil).name == "home")
            #expect(try await store.connections(ofTunnels: [one.id]) == [connection])
            let secret = TunnelSecret.generate()
            #expect(try await store.changeTunnel(one.id, name: nil, secret: secret).secret == secret)
            let routing = try await store.routing()
            #expect(routing.tunnels[one.id]?.secret == secret)
            #expect(try await store.connections(ofTunnels: [one.id]).isEmpty)
            #expect(
                routing.cleanups == [CleanupRequest(version: routing.version, tunnelID: one.id, connectorID: nil)])
        }
    }
}
