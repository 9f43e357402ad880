import Foundation
import Testing

extension SystemTests {
    /// Two edges behind a load balancer that tries the next one when the first cannot be connected to.
    @Suite(.timeLimit(.minutes(30))) struct EdgeRestartTests {
        private static let host = Chain.host("www")
        private static let turns =
            ProcessInfo.processInfo.environment["CLOUDFLARED_SOAK"].map { max(100, Int($0) ?? 0) } ?? 4

        /// Edges of the same data on fixed ports, and a connector with a connection to each.
        private struct Scene {
            let stage: Stage
            let data: [String]
            let ports: [(tunnel: Int, https: Int)]
            var edges: [Program] = []

            var ca: String { data[0] + "/ca.pem" }

            static func set(on stage: Stage) async throws -> (Scene, connector: Program) {
                let chain = try await Chain.start(on: stage)
                let tunnel = try await chain.tunnel("web", hosts: [host])
                let token = try await chain.token(of: tunnel)
                await chain.edge.stop()
                let copy = chain.data + "-2"
                try FileManager.default.copyItem(atPath: chain.data, toPath: copy)
                let ports = try (0..<2).map { _ in (tunnel: try freePort(), https: try freePort()) }
                var scene = Scene(stage: stage, data: [chain.data, copy], ports: ports)
                for index in 0..<2 { scene.edges.append(try await scene.start(index)) }
                let config = try stage.write(
                    "ingress:\n  - hostname: \(host)\n    service: http_status:200\n  - service: http_status:404\n",
                    to: "config.yml")
                let connector = try stage.start(
                    [Stage.executable("cloudflared"), "tunnel", "--config", config]
                        + ports.flatMap { ["--edge", "127.0.0.1:\($0.tunnel)"] } + [
                            "--cacert", scene.ca, "--protocol", "http2", "--no-autoupdate", "--metrics", "off", "run",
                            "--token", token,
                        ])
                try await connector.registered(2)
                return (scene, connector)
            }

            func start(_ index: Int) async throws -> Program {
                let edge = try stage.start([
                    Stage.executable("cloudflared-edge"), "run", "--data-dir", data[index],
                    "--tunnel-listen", "127.0.0.1:\(ports[index].tunnel)",
                    "--https-listen", "127.0.0.1:\(ports[index].https)",
                ])
                try await edge.says("Edge listening")
                return edge
            }

            /// Visitors that prefer the first of these edges.
            func visit(_ kind: String, _ seconds: Int, _ order: [Int]) throws -> Program {
                let addresses = order.map { "127.0.0.1:\(ports[$0].https)" }.joined(separator: ",")
                return try stage.start(
                    [Stage.fixtures.appendingPathComponent("visits").path, kind, "\(seconds)", addresses, host, ca],
                    environment: ["PYTHONDONTWRITEBYTECODE": "1"])
            }
        }

        @Test func `visitors of an edge that is stopped gracefully lose nothing, whichever edge it is`() async throws {
            try await Stage.run { stage in
                var (scene, connector) = try await Scene.set(on: stage)
                var sent = 0
                for turn in 0..<Self.turns {
                    let leaving = turn % 2
                    let visitors = try scene.visit("load", 2, [leaving, 1 - leaving])
                    try await visitors.says("visiting")
                    // While this one asks, the others have begun.
                    #expect(try await scene.visit("until", 30, [leaving]).ended().status == 0)
                    let before = connector.registrations
                    scene.edges[leaving].signal(SIGTERM)
                    #expect(try await scene.edges[leaving].ended().status == 0)
                    let line = try await visitors.ended().standardOutput.split(separator: "\n").last ?? ""
                    let load = try JSONDecoder().decode(FaultNet.Load.self, from: Data(line.utf8))
                    #expect(load.sent > 0)
                    #expect(load.lost == 0, "turn \(turn): \(load.reasons)")
                    sent += load.sent
                    scene.edges[leaving] = try await scene.start(leaving)
                    try await connector.registered(before + 1)
                    #expect(try await scene.visit("until", 60, [leaving]).ended(within: 90).status == 0)
                }
                print("\(Self.turns) graceful restarts of edges that have visitors | lost 0 of \(sent)")
            }
        }
    }
}
