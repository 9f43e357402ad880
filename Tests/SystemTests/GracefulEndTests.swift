import Foundation
import Testing

extension SystemTests {
    /// SIGTERM, and what may not hold up the end after it.
    @Suite(.timeLimit(.minutes(5))) struct GracefulEndTests {
        private static let host = Chain.host("www")

        /// A chain with a connector of these flags, and an answer that stays open when asked for.
        private struct Scene {
            let chain: Chain
            let connector: Program

            static func set(_ flags: String..., on stage: Stage) async throws -> Scene {
                let peer = try await WebPeer.start(on: stage)
                let chain = try await Chain.start(on: stage)
                let tunnel = try await chain.tunnel("web", hosts: [host])
                let config = try stage.write(
                    "ingress:\n  - hostname: \(host)\n    service: http://127.0.0.1:\(peer.http)\n"
                        + "  - service: http_status:404\n", to: "config.yml")
                let connector = try stage.start(
                    [
                        Stage.executable("cloudflared"), "tunnel", "--config", config, "--edge", chain.tunnelAddress,
                        "--cacert", chain.ca, "--metrics", "off", "--no-autoupdate",
                    ] + flags + ["run", "--token", try await chain.token(of: tunnel)])
                try await connector.says("Registered tunnel connection")
                return Scene(chain: chain, connector: connector)
            }

            /// A visitor who has the beginning of an answer and waits for the rest, which takes half a minute.
            func visitor() async throws -> Program {
                let visitor = try chain.stage.start(
                    [
                        "curl", "--silent", "--no-buffer", "--max-time", "60", "--cacert", chain.ca, "--noproxy", "*",
                    ] + chain.visiting(host) + ["https://\(host):\(chain.httpsPort)/first-then-wait"])
                try await visitor.says("data: first")
                return visitor
            }
        }

        @Test func `without streams the end is at once, with status 0, however long the grace period`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set("--grace-period", "3m", on: stage)
                scene.connector.signal(SIGTERM)
                #expect(try await scene.connector.ended(within: 20).status == 0)
                try await scene.chain.edge.says("Connector unregistered")
            }
        }

        @Test func `an edge that does not answer the goodbye does not hold up the end`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set("--grace-period", "3m", "--rpc-timeout", "1s", on: stage)
                scene.chain.edge.signal(SIGSTOP)
                defer { scene.chain.edge.signal(SIGCONT) }
                scene.connector.signal(SIGTERM)
                #expect(try await scene.connector.ended(within: 20).status == 0)
            }
        }

        @Test func `a stream that goes on is cut when the grace period is over`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set("--grace-period", "2s", on: stage)
                let visitor = try await scene.visitor()
                scene.connector.signal(SIGTERM)
                #expect(try await scene.connector.ended(within: 20).status == 0)
                let output = try await visitor.ended(within: 20)
                #expect(output.status != 0)
            }
        }

        @Test func `a stream that ends within the grace period arrives whole, and new visitors are sent away`()
            async throws
        {
            try await Stage.run { stage in
                let scene = try await Scene.set("--grace-period", "1m", on: stage)
                let visitor = try await scene.visitor()
                scene.connector.signal(SIGTERM)
                try await scene.connector.says("Unregistered tunnel connection")
                let late = try await scene.chain.curl(Self.host, "/hello")
                #expect(late.answer.hasSuffix(" 503") || late.answer.hasSuffix(" 530"), "\(late.answer)")
                #expect(try await visitor.ended(within: 50).status == 0)
                #expect(try await scene.connector.ended(within: 20).status == 0)
            }
        }

        @Test func `a second signal ends everything at once`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set("--grace-period", "3m", on: stage)
                _ = try await scene.visitor()
                scene.connector.signal(SIGTERM)
                try await scene.connector.says("Unregistered tunnel connection")
                scene.connector.signal(SIGTERM)
                #expect(try await scene.connector.ended(within: 20).status == 128 + SIGTERM)
            }
        }

        @Test func `a connector that never found its edge ends at once`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let tunnel = try await chain.tunnel("web", hosts: [Self.host])
                let token = try await chain.token(of: tunnel)
                let connector = try stage.start([
                    Stage.executable("cloudflared"), "tunnel", "--edge", "127.0.0.1:\(try freePort())", "--cacert",
                    chain.ca, "--metrics", "off", "--no-autoupdate", "--grace-period", "3m", "run", "--token", token,
                ])
                try await connector.says("Retrying connection")
                connector.signal(SIGTERM)
                #expect(try await connector.ended(within: 20).status == 0)
            }
        }
    }
}
