import Foundation
import Testing

extension SystemTests {
    /// Many local ports by one process.
    @Suite(.timeLimit(.minutes(5))) struct ForwarderTests {
        /// A connector for two hosts, and two free local ports.
        private func served(
            on stage: Stage
        ) async throws -> (chain: Chain, peer: TCPPeer, hosts: [String], ports: [Int]) {
            let peer = try await TCPPeer.start(on: stage)
            let chain = try await Chain.start(on: stage)
            let hosts = [Chain.host("one"), Chain.host("two")]
            let tunnel = try await chain.tunnel("peer", hosts: hosts)
            let service = "tcp://127.0.0.1:\(peer.port)"
            try await chain.connector(tunnel, ingress: [hosts[0]: service, hosts[1]: service])
            return (chain, peer, hosts, [try freePort(), try freePort()])
        }

        @Test func `one access command forwards several ports`() async throws {
            try await Stage.run { stage in
                let (chain, peer, hosts, ports) = try await served(on: stage)
                let pairs = zip(ports, hosts).flatMap { ["--forward", "127.0.0.1:\($0)=\($1):\(chain.httpsPort)"] }
                let client = try stage.start(
                    [Stage.executable("cloudflared"), "access", "tcp"] + pairs, environment: chain.trust)
                for port in ports {
                    try await stage.await("listening", "\(port)")
                    let result = try await peer.check("ask", at: port, on: stage)
                    #expect(result.status == 0, "\(result.lastWords)\n\(client.output.lastWords)")
                }
                #expect(await client.stop(within: 15).status == 0)
            }
        }

        @Test func `a configuration file with forwarders alone runs them without a tunnel`() async throws {
            try await Stage.run { stage in
                let (chain, peer, hosts, ports) = try await served(on: stage)
                let entries = zip(ports, hosts).map {
                    "  - url: https://\($1):\(chain.httpsPort)\n    listener: 127.0.0.1:\($0)\n    caPool: \(chain.ca)\n"
                }
                let config = try stage.write("forwarders:\n" + entries.joined(), to: "forwarders.yml")
                let client = try stage.start([Stage.executable("cloudflared"), "--config", config])
                for port in ports {
                    try await stage.await("listening", "\(port)")
                    let result = try await peer.check("ask", at: port, on: stage)
                    #expect(result.status == 0, "\(result.lastWords)\n\(client.output.lastWords)")
                }
                #expect(await client.stop(within: 15).status == 0)
            }
        }

        @Test func `a port that is taken ends the command that wanted several`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let host = "\(Chain.host("one")):\(chain.httpsPort)"
                let output = try await stage.finish(
                    [
                        Stage.executable("cloudflared"), "access", "tcp", "--forward", "127.0.0.1:0=\(host)",
                        "--forward", "\(chain.httpsAddress)=\(host)",
                    ], environment: chain.trust, within: 30)
                #expect(output.status == 69)
                #expect(output.standardError.contains("the port is taken"), "\(output.lastWords)")
            }
        }
    }
}
