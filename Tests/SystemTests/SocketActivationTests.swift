import Foundation
import Testing

extension SystemTests {
    /// Local ports that systemd has opened, handed over by `systemd-socket-activate` with the first connection.
    @Suite(.timeLimit(.minutes(5))) struct SocketActivationTests {
        /// A connector for these hosts that leads to the peer.
        private func served(on stage: Stage, _ names: String...) async throws -> (chain: Chain, peer: TCPPeer) {
            let peer = try await TCPPeer.start(on: stage)
            let chain = try await Chain.start(on: stage)
            let hosts = names.map(Chain.host)
            let tunnel = try await chain.tunnel("peer", hosts: hosts)
            let service = "tcp://127.0.0.1:\(peer.port)"
            try await chain.connector(tunnel, ingress: Dictionary(uniqueKeysWithValues: hosts.map { ($0, service) }))
            return (chain, peer)
        }

        private func activated(
            _ chain: Chain, ports: [Int], names: String = "", _ arguments: String...
        ) async throws -> Program {
            // It closes what it inherits, by which Foundation would take it for ended.
            let keeper = #""$@" & child=$!; trap "kill $child; wait $child; exit \$?" TERM; wait $child"#
            let program = try chain.stage.start(
                ["bash", "-c", keeper, "bash", "systemd-socket-activate"] + ports.map { "--listen=127.0.0.1:\($0)" }
                    + (names.isEmpty ? [] : ["--fdname=\(names)"])
                    + ["--setenv=SSL_CERT_FILE=\(chain.ca)", "--setenv=HOME=\(chain.stage.scratch.path)"]
                    + [Stage.executable("cloudflared")] + arguments)
            for port in ports { try await chain.stage.await("listening", "\(port)") }
            return program
        }

        @Test func `access without an address takes the socket that it is given`() async throws {
            try await Stage.run { stage in
                let (chain, peer) = try await served(on: stage, "one")
                let port = try freePort()
                let client = try await activated(
                    chain, ports: [port], "access", "rdp", "--hostname", "\(Chain.host("one")):\(chain.httpsPort)")
                for _ in 0..<2 {
                    let result = try await peer.check("ask", at: port, on: stage)
                    #expect(result.status == 0, "\(result.lastWords)\n\(client.output.lastWords)")
                }
                try await client.says("host=127.0.0.1:\(port)")
                #expect(await client.stop(within: 15).status == 0)
            }
        }

        @Test func `a service takes its sockets by address and by name`() async throws {
            try await Stage.run { stage in
                let (chain, peer) = try await served(on: stage, "one", "two")
                let ports = [try freePort(), try freePort()]
                let entries = [("one", ports[0]), ("two", 1)].map {
                    "  - {url: \"https://\(Chain.host($0)):\(chain.httpsPort)\", listener: \"localhost:\($1)\"}\n"
                }
                let config = try stage.write("forwarders:\n" + entries.joined(), to: "forwarders.yml")
                let client = try await activated(
                    chain, ports: ports, names: "x:\(Chain.host("two"))", "--config", config)
                for port in ports {
                    let result = try await peer.check("ask", at: port, on: stage)
                    #expect(result.status == 0, "\(result.lastWords)\n\(client.output.lastWords)")
                }
                #expect(!client.output.standardError.contains("is nobody's"))
            }
        }

        @Test func `sockets that cannot be told apart are refused`() async throws {
            try await Stage.run { stage in
                let ports = [try freePort(), try freePort()]
                let chain = try await Chain.start(on: stage)
                let client = try await activated(
                    chain, ports: ports, "access", "tcp", "--hostname", "\(Chain.host("one")):\(chain.httpsPort)")
                _ = try await stage.finish(["curl", "--silent", "--max-time", "5", "http://127.0.0.1:\(ports[0])/"])
                let output = try await client.ended()
                #expect(output.status == 2 && output.standardError.contains("2 sockets"), "\(output.lastWords)")
            }
        }
    }
}
