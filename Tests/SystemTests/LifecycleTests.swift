import Foundation
import Testing

extension SystemTests {
    /// What the programs do when one of them goes, or comes back.
    @Suite(.timeLimit(.minutes(5))) struct LifecycleTests {
        /// Runs an edge of `chain`'s data directory on ports that the next one can take again.
        private func edge(of chain: Chain, tunnel: Int, https: Int) async throws -> Program {
            let listening = chain.data + "/listening.json"
            try? FileManager.default.removeItem(atPath: listening)
            let edge = try chain.stage.start([
                Stage.executable("cloudflared-edge"), "run", "--data-dir", chain.data,
                "--tunnel-listen", "127.0.0.1:\(tunnel)", "--https-listen", "127.0.0.1:\(https)",
            ])
            try await chain.stage.await("file", listening)
            return edge
        }

        private func port(of address: String) throws -> Int {
            try #require(address.split(separator: ":").last.flatMap { Int($0) })
        }

        @Test func `a connector comes back to an edge that was started again`() async throws {
            try await Stage.run { stage in
                let peer = try await TCPPeer.start(on: stage)
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("tcp")
                let tunnel = try await chain.tunnel("peer", hosts: [host])
                let connector = try await chain.connector(tunnel, ingress: [host: "tcp://127.0.0.1:\(peer.port)"])
                let client = try await chain.forward("tcp", to: host)
                #expect(await chain.edge.stop(within: 60).status == 0)
                try await connector.says("Retrying connection")
                _ = try await edge(
                    of: chain, tunnel: try port(of: chain.tunnelAddress), https: try port(of: chain.httpsAddress))
                // The edge knows the tunnel as served again before a client is let through to it.
                let registered = "Registered tunnel connection"
                try await connector.seen("registers again", within: 60) { output -> Bool? in
                    let lines = output.lines.map(\.text)
                    guard let lost = lines.firstIndex(where: { $0.contains("Retrying connection") }) else { return nil }
                    return lines[lost...].contains { $0.contains(registered) } ? true : nil
                }
                let result = try await peer.check("ask", at: client.port, on: stage)
                #expect(result.status == 0, "\(result.lastWords)")
            }
        }

        @Test func `a connector asked to stop ends within its grace period, though a stream is open`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let peer = try await TCPPeer.start(on: stage)
                let host = Chain.host("tcp")
                let tunnel = try await chain.tunnel("peer", hosts: [host])
                let connector = try await chain.connector(tunnel, ingress: [host: "tcp://127.0.0.1:\(peer.port)"])
                let client = try await chain.forward("tcp", to: host)
                // Says the first half of an echo, shows what came back, and stays.
                let script = #"exec 3<>"/dev/tcp/127.0.0.1/$0"; printf 'echo\nopen\n' >&3; cat <&3"#
                let stream = try stage.start(["bash", "-c", script, "\(client.port)"])
                try await stream.says("open")
                // The grace period of the chain's connectors is 5 s.
                #expect(await connector.stop(within: 15).status == 0)
            }
        }
    }
}
