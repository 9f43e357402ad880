import ByteStream
import EdgeTransport
import Foundation
import Logging
import NIOCore
import NameResolver
import TestKit
import Testing
import TunnelConfig

@testable import Connector

/// Lookups against a name server on loopback that says what a test wants.
@Suite(.timeLimit(.minutes(1))) struct EdgeDiscoveryTests {
    private static let service = "_v2-origintunneld._tcp.argotunnel.com"

    /// What a name server knows: SRV targets by service, addresses by name.
    private struct Zone: Sendable {
        var services: [String: [String]] = [service: ["region1.v2.argotunnel.com", "region2.v2.argotunnel.com"]]
        var v4: [String: [UInt8]] = [:]
        var v6: [String: UInt8] = [:]

        func answer(_ question: [UInt8]) -> [[UInt8]] {
            let (name, type) = DNSMessage.asked(question)
            let owner = DNSMessage.name(name)
            var records: [[UInt8]] = []
            switch type {
            case 33:
                records = (services[name] ?? []).enumerated().map { DNSMessage.srv(name, $0, 1, 7844, $1) }
            case 1:
                records = (v4[name] ?? []).map { DNSMessage.record(owner, 1, [192, 0, 2, $0]) }
            case 28:
                records =
                    v6[name].map {
                        [DNSMessage.record(owner, 28, [0x20, 1, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [$0])]
                    } ?? []
            default: break
            }
            return [DNSMessage.answer(to: question, records, code: records.isEmpty ? 3 : 0)]
        }
    }

    private static func configuration(_ edges: [String] = []) -> ConnectorConfiguration {
        ConnectorConfiguration(
            credentials: TunnelCredentials(accountTag: "a", tunnelSecret: .init([1]), tunnelID: UUID()),
            routes: RoutingTable(rules: []), edges: edges, version: "test")
    }

    private func found(
        _ zone: Zone, _ configuration: ConnectorConfiguration = configuration()
    ) async throws -> EdgeAddresses {
        try await DNSResponder.run { question, _ in
            zone.answer(question)
        } _: { server in
            let discovery = EdgeDiscovery(
                configuration, resolver: NameResolver(servers: [server.address]), overTLS: nil,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            return try await discovery.addresses(isRepeated: false)
        }
    }

    private func hosts(_ found: EdgeAddresses) -> [[String]] {
        found.regions.map { $0.flatMap(\.endpoints).map(\.host).sorted() }
    }

    @Test func `two records are two regions, with all their addresses`() async throws {
        let zone = Zone(
            v4: ["region1.v2.argotunnel.com": [1, 2], "region2.v2.argotunnel.com": [3]],
            v6: ["region2.v2.argotunnel.com": 9])
        let found = try await found(zone)
        #expect(hosts(found) == [["192.0.2.1", "192.0.2.2"], ["192.0.2.3", "2001:db8::9"]])
        #expect(found.missing == nil && !found.isStatic && !found.isFinal)
    }

    @Test func `a region has a name of its own`() async throws {
        var configuration = Self.configuration()
        configuration.region = "us"
        let zone = Zone(
            services: ["_us-v2-origintunneld._tcp.argotunnel.com": ["one.test", "two.test"]],
            v4: ["one.test": [1], "two.test": [2]])
        #expect(hosts(try await found(zone, configuration)) == [["192.0.2.1"], ["192.0.2.2"]])
    }

    @Test func `only the family that is wanted counts`() async throws {
        var configuration = Self.configuration()
        configuration.edgeFamily = .v6
        let zone = Zone(
            v4: ["region1.v2.argotunnel.com": [1], "region2.v2.argotunnel.com": [2]],
            v6: ["region2.v2.argotunnel.com": 9])
        let found = try await found(zone, configuration)
        #expect(hosts(found) == [["2001:db8::9"], []])
        #expect(found.missing?.contains("no IPv6 address") == true)
        configuration.edgeFamily = nil
        configuration.edgeBindAddress = try SocketAddress(ipAddress: "192.0.2.200", port: 0)
        #expect(hosts(try await self.found(zone, configuration)) == [["192.0.2.1"], ["192.0.2.2"]])
    }

    @Test func `a target that does not resolve is passed over, and known to be missing`() async throws {
        let one = try await found(Zone(v4: ["region2.v2.argotunnel.com": [2]]))
        #expect(hosts(one) == [["192.0.2.2"], []])
        #expect(one.missing?.contains("region1.v2.argotunnel.com. ") == true, "not a whole name: \(one.missing ?? "")")
        #expect(one.regions[0].map(\.source) == ["region2.v2.argotunnel.com"])
        let third = Zone(
            services: [Self.service: ["a.test", "b.test", "c.test"]], v4: ["a.test": [1], "c.test": [3]])
        let two = try await found(third)
        #expect(hosts(two) == [["192.0.2.1"], ["192.0.2.3"]])
        #expect(two.missing == nil)
    }

    @Test func `without any answer there is an error that says what to do`() async {
        let error = await #expect(throws: LinkError.self) { try await found(Zone(services: [:])) }
        #expect(error?.code == .edgeUnknown)
        #expect(error?.description.contains("--edge") == true)
        await #expect(throws: LinkError.self) { try await found(Zone()) }
    }

    // MARK: --edge

    @Test func `addresses that are named need no name service, and stay in their regions`() async throws {
        let configuration = Self.configuration(["192.0.2.1:1", "[2001:db8::1]:2", "192.0.2.1:1"])
        let found = try await found(Zone(), configuration)
        #expect(hosts(found) == [["192.0.2.1", "192.0.2.1"], ["2001:db8::1"]])
        #expect(found.isFinal && found.isStatic)
    }

    @Test func `a name is one slot with all its addresses, and one that does not resolve is missing`() async throws {
        let configuration = Self.configuration(["a.test:1", "no.test:1", "b.test:1", "192.0.2.9:1"])
        let found = try await found(Zone(v4: ["a.test": [1, 2], "b.test": [3]]), configuration)
        #expect(found.regions.map { $0.map(\.endpoints.count) } == [[2, 1], [1]])
        #expect(found.missing?.contains("no.test") == true && !found.isFinal)
        await #expect(throws: LinkError.self) { try await self.found(Zone(), Self.configuration(["no.test:1"])) }
    }

    @Test(arguments: ["2001:db8::1:7844", "[]:7844", "edge"])
    func `what is no host and port is an error, not an edge less`(edge: String) async {
        for edges in [[edge], ["192.0.2.1:1", edge]] {
            let error = await #expect(throws: LinkError.self) { try await found(Zone(), Self.configuration(edges)) }
            #expect(error?.code == .edgeUnknown && error?.description.contains(edge) == true)
        }
    }

    // MARK: Through a proxy

    @Test func `a proxy gets the names, and those of the regions where DNS is dead`() async throws {
        var configuration = Self.configuration(["a.test:1"])
        configuration.edgeProxy = ProxyServer(kind: .socks5, host: "proxy", port: 1080)
        #expect(try await found(Zone(), configuration).regions[0][0].endpoints == [.name("a.test", port: 1)])
        configuration.edges = []
        let found = try await found(Zone(services: [:]), configuration)
        #expect(hosts(found)[1] == ["region2.v2.argotunnel.com", "region2.v2.argotunnel.com"])
        #expect(found.missing != nil)
    }
}
