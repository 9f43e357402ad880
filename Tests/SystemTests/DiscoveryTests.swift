import Foundation
import Testing

extension SystemTests {
    /// How a connector finds its edge: by a name server that can die, over IPv6 that can lead nowhere, through a proxy.
    @Suite(
        .enabled(if: FaultNet.obstacle == nil, "\(FaultNet.obstacle ?? "")"), .serialized, .timeLimit(.minutes(10)))
    struct DiscoveryTests {
        /// From a name server, or a path, that is back, to service.
        private static let healingBound = 40.0

        /// Two edges by the names of the official one, and what a connector needs to know.
        private struct Scene {
            let net: FaultNet
            var edges: [String: Program] = [:]
            let data: [String: String]
            let token: String
            let ca: String

            static func set(
                on stage: Stage, with options: [String] = ["names"], listen: String? = nil
            ) async throws -> Scene {
                let net = try await FaultNet.up(on: stage, with: options)
                let (data, token) = try await net.prepare()
                var scene = Scene(net: net, data: data, token: token, ca: try #require(data["edge1"]) + "/ca.pem")
                for host in data.keys { try await scene.start(host, listen: listen) }
                return scene
            }

            mutating func start(_ host: String, listen: String? = nil) async throws {
                edges[host] = try await net.edge(host, data: try #require(data[host]), listen: listen)
            }

            func connector(_ flags: String...) throws -> Program {
                try net.connector(flags: flags, token: token, ca: ca)
            }

            func isServed(by hosts: String...) async throws {
                for host in hosts { _ = try await net.recovery(on: host, ca: ca, within: 60) }
            }
        }

        @Test func `two edges are found by SRV records, and served again when the name server is dead`() async throws {
            try await Stage.run { stage in
                var scene = try await Scene.set(on: stage)
                let names = try await scene.net.names()
                let connector = try scene.connector("--ha-connections", "2")
                try await connector.registered(2)
                try await scene.isServed(by: "edge1", "edge2")
                await names.stop()
                // Nobody asks for a name while links live, and what is known is enough to come back.
                scene.edges["edge1"]?.signal(SIGKILL)
                _ = try await scene.edges["edge1"]?.ended()
                try await scene.isServed(by: "edge2")
                try await scene.start("edge1")
                try await connector.registered(3)
                try await scene.isServed(by: "edge1", "edge2")
            }
        }

        @Test func `a start without a name server is told, and heals by itself`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(on: stage)
                let connector = try scene.connector("--ha-connections", "2")
                try await connector.says("edge discovery: error looking up Cloudflare edge IPs: the DNS query failed")
                try await connector.says("Retrying connection in up to")
                let begin = ContinuousClock.now
                _ = try await scene.net.names()
                try await connector.registered(1, within: Self.healingBound)
                print("discovery | name server back | registered after \(ContinuousClock.now - begin)")
                try await connector.registered(2)
                try await scene.isServed(by: "edge1", "edge2")
            }
        }

        @Test func `a stop does not wait for a name server`() async throws {
            try await Stage.run { stage in
                let net = try await FaultNet.up(on: stage, with: ["names"])
                let (data, token) = try await net.prepare()
                let connector = try net.connector(flags: [], token: token, ca: try #require(data["edge1"]) + "/ca.pem")
                try await connector.says("edge discovery: error looking up")
                connector.signal(SIGTERM)
                #expect(try await connector.ended(within: 10).status == 0)
            }
        }

        // MARK: IPv6

        @Test func `an edge is reached over IPv6`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(on: stage, with: ["names", "v6"], listen: "[::]:7844")
                _ = try await scene.net.names(with: "v6")
                let connector = try scene.connector("--ha-connections", "2", "--edge-ip-version", "6")
                try await connector.registered(2)
                #expect(connector.output.registeredAddresses.allSatisfy { $0.contains("2001:db8:") })
                try await scene.isServed(by: "edge1", "edge2")
            }
        }

        @Test func `IPv6 that leads nowhere is left for IPv4`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(on: stage, with: ["names", "v6"], listen: "[::]:7844")
                try await scene.net.set("silent6")
                _ = try await scene.net.names(with: "v6")
                let begin = ContinuousClock.now
                let connector = try scene.connector("--ha-connections", "2")
                try await connector.registered(1, within: Self.healingBound)
                print("discovery | IPv6 is a black hole | registered after \(ContinuousClock.now - begin)")
                try await connector.registered(2)
                #expect(connector.output.registeredAddresses.allSatisfy { $0.contains("198.51.100.") })
                try await scene.isServed(by: "edge1", "edge2")
            }
        }

        @Test func `connections come from the local address that was named`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(on: stage, with: ["v6"], listen: "[::]:7844")
                let connector = try scene.connector(
                    "--edge", "[2001:db8:2::2]:7844", "--edge-bind-address", "2001:db8:1::2")
                try await connector.registered(1)
                await connector.stop()
                let other = try scene.connector(
                    "--edge", scene.net.tunnelAddress("edge1"), "--edge-bind-address", "192.0.2.77")
                try await other.says("--edge-bind-address of this host?")
            }
        }

        // MARK: Proxies

        @Test(arguments: ["http", "socks5"])
        func `a proxy leads to an edge that only it can reach and name`(kind: String) async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(on: stage)
                try await scene.net.set("apart=edge1")
                let command: [String]
                if kind == "http" {
                    let config = try stage.write(
                        "Port 3128\nTimeout 600\nLogLevel Connect\nBasicAuth user secretword\n", to: "tinyproxy.conf")
                    command = ["tinyproxy", "-d", "-c", config]
                } else {
                    command = ["microsocks", "-p", "3128", "-u", "user", "-P", "secretword"]
                }
                let proxy = try stage.start(scene.net.inside("edge2") + command)
                let host = scene.net.tunnelAddress("edge2").split(separator: ":")[0]
                let connector = try scene.connector(
                    "--edge", "far-edge.test:7844", "--edge-proxy", "\(kind)://user:secretword@\(host):3128")
                try await connector.registered(1)
                try await scene.isServed(by: "edge1")
                #expect(!connector.output.lines.contains { $0.text.contains("secretword") })
                // Without the proxy there is no way, and the reason is told.
                await proxy.stop()
                try await connector.says("check --edge-proxy")
            }
        }
    }
}

extension Output {
    /// Of the links, as the connector tells them.
    fileprivate var registeredAddresses: [String] {
        lines.map(\.text).filter { $0.contains("Registered tunnel connection") }
    }
}
