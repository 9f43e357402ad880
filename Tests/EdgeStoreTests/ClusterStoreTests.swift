import EdgeStore
import Foundation
import Testing
import TunnelConfig

/// What every store promises.
@Suite struct ClusterStoreTests {
    @Test(arguments: StoreKind.allCases)
    func `a tunnel comes back as it was put in`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let tunnel = TunnelRecord.sample("one")
            try await store.createTunnel(tunnel)
            #expect(try await store.tunnel(tunnel.id) == tunnel)
            #expect(try await store.tunnel(UUID()) == nil)
            let routing = try await store.routing()
            #expect(routing.tunnels == [tunnel.id: tunnel])
            #expect(try await store.account() == .sample)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a live name and any id can be used once`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let tunnel = TunnelRecord.sample("one")
            try await store.createTunnel(tunnel)
            #expect(await storeErrorCode { try await store.createTunnel(.sample("one")) } == .tunnelTaken)
            try await store.deleteTunnel(tunnel.id, cascade: false, at: .at(1))
            try await store.createTunnel(.sample("one"))
            #expect(await storeErrorCode { try await store.createTunnel(tunnel) } == .tunnelTaken)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `names that no client takes are refused`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            for name in ["", UUID().uuidString, "a\nb", String(repeating: "x", count: 256)] {
                #expect(await storeErrorCode { try await store.createTunnel(.sample(name)) } == .invalid)
            }
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a list is filtered, oldest first, and paged`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let all = (0..<5).map { TunnelRecord.sample("t\($0)", at: Double($0)) }
            for tunnel in all.reversed() { try await store.createTunnel(tunnel) }
            try await store.deleteTunnel(all[4].id, cascade: false, at: .at(10))
            var filter = TunnelFilter()
            #expect(
                try await store.tunnels(filter, offset: 0, limit: 10).page.map(\.name) == [
                    "t0", "t1", "t2", "t3", "t4",
                ])
            filter.deleted = true
            #expect(try await store.tunnels(filter, offset: 0, limit: 10).page.map(\.name) == ["t4"])
            filter.deleted = false
            let second = try await store.tunnels(filter, offset: 2, limit: 2)
            #expect(second.page.map(\.name) == ["t2", "t3"])
            #expect(second.total == 4)
            filter.excludedPrefixes = ["t1", "t2"]
            #expect(try await store.tunnels(filter, offset: 0, limit: 10).page.map(\.name) == ["t0", "t3"])
            filter.existedAt = .at(2)
            #expect(try await store.tunnels(filter, offset: 0, limit: 10).page.map(\.name) == ["t0"])
            #expect(
                try await store.tunnels(TunnelFilter(name: "t3"), offset: 0, limit: 10).page.map(\.id) == [all[3].id])
            #expect(try await store.tunnels(TunnelFilter(name: "t4"), offset: 0, limit: 10).total == 0)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a route is new, unchanged, refused, then updated`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let (one, two) = (TunnelRecord.sample("one"), TunnelRecord.sample("two"))
            try await store.createTunnel(one)
            try await store.createTunnel(two)
            let host = "rdp.site.test"
            #expect(try await store.setRoute(host, to: one.id, overwrite: false, at: .at(0)) == .new)
            #expect(try await store.setRoute(host, to: one.id, overwrite: false, at: .at(1)) == .unchanged)
            let error = await #expect(throws: StoreError.self) {
                _ = try await store.setRoute(host, to: two.id, overwrite: false, at: .at(2))
            }
            #expect(error?.code == .hostnameTaken)
            #expect(error?.message.contains("\"one\"") == true)
            #expect(try await store.setRoute(host, to: two.id, overwrite: true, at: .at(3)) == .updated)
            #expect(try await store.routing().tunnel(for: host)?.name == "two")
            #expect(try await store.routes() == [Route(hostname: host, tunnelID: two.id, createdAt: .at(3))])
            try await store.removeRoute(host)
            #expect(await storeErrorCode { try await store.removeRoute(host) } == .notFound)
            #expect(
                await storeErrorCode { _ = try await store.setRoute(host, to: UUID(), overwrite: true, at: .at(4)) }
                    == .notFound)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the nearest wildcard serves what has no route of its own`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let (one, two) = (TunnelRecord.sample("one"), TunnelRecord.sample("two"))
            try await store.createTunnel(one)
            try await store.createTunnel(two)
            _ = try await store.setRoute("*.site.test", to: one.id, overwrite: false, at: .at(0))
            _ = try await store.setRoute("*.b.site.test", to: two.id, overwrite: false, at: .at(0))
            let routing = try await store.routing()
            #expect(routing.tunnel(for: "a.site.test")?.name == "one")
            #expect(routing.tunnel(for: "a.b.site.test")?.name == "two")
            #expect(routing.tunnel(for: "a.c.site.test")?.name == "one")
            #expect(routing.tunnel(for: "site.test") == nil)
            #expect(routing.tunnel(for: "") == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a deleted tunnel takes its routes, connections and configuration along`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let tunnel = TunnelRecord.sample("one")
            try await store.createTunnel(tunnel)
            _ = try await store.setRoute("a.site.test", to: tunnel.id, overwrite: false, at: .at(0))
            try await store.setConfiguration("{}", ofTunnel: tunnel.id, at: .at(0))
            try await store.connectionOpened(.sample(tunnel))
            #expect(
                await storeErrorCode { try await store.deleteTunnel(tunnel.id, cascade: false, at: .at(1)) } == .inUse)
            #expect(try await store.routing().tunnel(for: "a.site.test") == tunnel)
            try await store.deleteTunnel(tunnel.id, cascade: true, at: .at(1))
            let routing = try await store.routing()
            #expect(routing.tunnels.isEmpty && routing.routes.isEmpty)
            #expect(try await store.connections(ofTunnels: [tunnel.id]).isEmpty)
            #expect(try await store.configuration(ofTunnel: tunnel.id) == nil)
            #expect(try await store.tunnel(tunnel.id)?.deletedAt == .at(1))
            #expect(
                await storeErrorCode { try await store.deleteTunnel(tunnel.id, cascade: true, at: .at(2)) } == .notFound
            )
            #expect(await storeErrorCode { try await store.connectionOpened(.sample(tunnel)) } == .notFound)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the version moves with every change, and not with connections`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let tunnel = TunnelRecord.sample("one")
            var last = try await store.version()
            func moved() async throws -> Bool {
                let version = try await store.version()
                defer { last = version }
                #expect(version >= last)
                return version > last
            }
            try await store.createTunnel(tunnel)
            #expect(try await moved())
            _ = try? await store.createTunnel(tunnel)
            #expect(try await !moved())
            _ = try await store.setRoute("a.site.test", to: tunnel.id, overwrite: false, at: .at(0))
            #expect(try await moved())
            _ = try await store.setRoute("a.site.test", to: tunnel.id, overwrite: false, at: .at(0))
            #expect(try await !moved())
            try await store.setConfiguration("{}", ofTunnel: tunnel.id, at: .at(0))
            #expect(try await moved())
            try await store.setConfiguration("{}", ofTunnel: tunnel.id, at: .at(1))
            #expect(try await !moved())
            let connection = ConnectionRecord.sample(tunnel)
            try await store.connectionOpened(connection)
            try await store.connectionClosed(connection.id)
            try await store.forgetConnections(ofEdge: nil)
            #expect(try await !moved())
            try await store.cleanUpConnections(ofTunnel: tunnel.id, connector: nil)
            #expect(try await moved())
            #expect(try await store.routing().version == last)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `connections are kept by tunnel and forgotten by edge`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let (one, two) = (TunnelRecord.sample("one"), TunnelRecord.sample("two"))
            try await store.createTunnel(one)
            try await store.createTunnel(two)
            let edge = UUID()
            let first = ConnectionRecord.sample(one, index: 0, edge: edge)
            let second = ConnectionRecord.sample(one, index: 1)
            let third = ConnectionRecord.sample(two, index: 2, edge: edge)
            for connection in [third, second, first] { try await store.connectionOpened(connection) }
            #expect(try await store.connections(ofTunnels: [one.id]) == [first, second])
            #expect(try await store.connections(ofTunnels: [two.id, one.id]) == [third, first, second])
            try await store.forgetConnections(ofEdge: edge)
            #expect(try await store.connections(ofTunnels: [one.id, two.id]) == [second])
            try await store.connectionClosed(second.id)
            try await store.connectionClosed(second.id)
            #expect(try await store.connections(ofTunnels: [one.id, two.id]).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a cleanup drops the records and asks for the links`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let tunnel = TunnelRecord.sample("one")
            try await store.createTunnel(tunnel)
            let before = try await store.version()
            let (left, right) = (UUID(), UUID())
            let kept = ConnectionRecord.sample(tunnel, connector: right)
            try await store.connectionOpened(.sample(tunnel, connector: left))
            try await store.connectionOpened(kept)
            try await store.cleanUpConnections(ofTunnel: tunnel.id, connector: left)
            #expect(try await store.connections(ofTunnels: [tunnel.id]) == [kept])
            try await store.cleanUpConnections(ofTunnel: tunnel.id, connector: nil)
            #expect(try await store.connections(ofTunnels: [tunnel.id]).isEmpty)
            let cleanups = try await store.routing().cleanups
            #expect(cleanups.map(\.connectorID) == [left, nil])
            #expect(cleanups.allSatisfy { $0.tunnelID == tunnel.id && $0.version > before })
            for _ in 0..<300 { try await store.cleanUpConnections(ofTunnel: tunnel.id, connector: nil) }
            let later = try await store.routing()
            #expect(later.cleanups.count == 256)
            #expect(later.cleanups.last?.version == later.version)
        }
    }
}
