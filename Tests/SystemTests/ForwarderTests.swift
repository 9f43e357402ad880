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

        @Test func `a changed file adds and removes forwarders, and an open connection goes on`() async throws {
            try await Stage.run { stage in
                let peer = try await WebPeer.start(on: stage)
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("one")
                let tunnel = try await chain.tunnel("peer", hosts: [host])
                try await chain.connector(tunnel, ingress: [host: "tcp://127.0.0.1:\(peer.http)"])
                let (first, second) = (try freePort(), try freePort())
                func file(_ ports: Int...) throws -> String {
                    let entries = ports.map {
                        "  - {url: \"https://\(host):\(chain.httpsPort)\", listener: \"127.0.0.1:\($0)\", caPool: \(chain.ca)}\n"
                    }
                    return try stage.write("forwarders:\n" + entries.joined(), to: "forwarders.yml")
                }
                let config = try file(first)
                let client = try stage.start([
                    Stage.executable("cloudflared"), "--config", config, "--loglevel", "debug",
                ])
                try await stage.await("listening", "\(first)")
                try await client.says("Watching the configuration file")
                let slow = try stage.start(
                    [
                        "curl", "--silent", "--no-buffer", "--max-time", "60",
                        "http://127.0.0.1:\(first)/first-then-wait",
                    ])
                try await slow.says("data: first")
                _ = try file(second)
                try await stage.await("listening", "\(second)")
                try await stage.await("free", "\(first)")
                _ = try stage.write("forwarders: nonsense\n", to: "forwarders.yml")
                client.signal(SIGHUP)
                try await client.says("the old one stays in force")
                let go = try await stage.finish(
                    ["curl", "--silent", "--max-time", "30", "http://127.0.0.1:\(second)/go-on"])
                #expect(go.status == 0, "\(client.output.lastWords)")
                let output = try await slow.ended()
                #expect(output.status == 0 && output.standardOutput.contains("data: second"))
                #expect(await client.stop(within: 15).status == 0)
            }
        }

        @Test func `forwarders beside a tunnel follow the file too`() async throws {
            try await Stage.run { stage in
                let peer = try await WebPeer.start(on: stage)
                let under = try await Reloadable.start(
                    on: stage, rules: Reloadable.rules([(Reloadable.www, "tcp://127.0.0.1:\(peer.http)")]))
                let port = try freePort()
                let forwarder =
                    "forwarders:\n  - {url: \"https://\(Reloadable.www):\(under.chain.httpsPort)\", "
                    + "listener: \"127.0.0.1:\(port)\", caPool: \(under.chain.ca)}\n"
                try under.replace(
                    Reloadable.rules([(Reloadable.www, "tcp://127.0.0.1:\(peer.http)")], more: forwarder))
                try await under.reloaded()
                try await stage.await("listening", "\(port)")
                let page = try await stage.finish(
                    ["curl", "--silent", "--max-time", "30", "http://127.0.0.1:\(port)/hello"])
                #expect(page.status == 0, "\(under.connector.output.lastWords)")
                try under.replace(Reloadable.rules([(Reloadable.www, "http_status:201")]))
                try await under.reloaded(2)
                try await stage.await("free", "\(port)")
            }
        }

        @Test func `a taken port is listened on once it is free`() async throws {
            try await Stage.run { stage in
                let (chain, peer, hosts, ports) = try await served(on: stage)
                let holder = try stage.start(
                    ["python3", "-m", "http.server", "\(ports[0])", "--bind", "127.0.0.1"])
                try await stage.await("listening", "\(ports[0])")
                let entry =
                    "forwarders:\n  - {url: \"https://\(hosts[0]):\(chain.httpsPort)\", "
                    + "listener: \"127.0.0.1:\(ports[0])\", caPool: \(chain.ca)}\n"
                let config = try stage.write(entry, to: "forwarders.yml")
                let client = try stage.start([Stage.executable("cloudflared"), "--config", config])
                try await client.says("does not listen and tries again")
                await holder.stop()
                try await client.says("Start Websocket listener again", within: 60)
                let result = try await peer.check("ask", at: ports[0], on: stage)
                #expect(result.status == 0, "\(result.lastWords)")
                let told = client.output.lines.filter { $0.text.contains("tries again") }
                #expect(told.count == 1)
            }
        }

        @Test func `a process without file descriptors accepts again when it has some`() async throws {
            try await Stage.run { stage in
                let (chain, peer, hosts, ports) = try await served(on: stage)
                let client = try stage.start(
                    [
                        "bash", "-c", "ulimit -n 64 && exec \"$@\"", "bash", Stage.executable("cloudflared"), "access",
                        "tcp", "--hostname", "\(hosts[0]):\(chain.httpsPort)", "--url", "127.0.0.1:\(ports[0])",
                    ], environment: chain.trust)
                try await stage.await("listening", "\(ports[0])")
                let held = try stage.start([
                    Stage.fixtures.appendingPathComponent("hold-open").path, "\(ports[0])", "80",
                ])
                try await held.says("held")
                await held.stop()
                // Those that waited to be accepted are still before us, and may use up what there is.
                var result = try await peer.check("ask", at: ports[0], on: stage)
                for _ in 0..<30 where result.status != 0 {
                    result = try await peer.check("ask", at: ports[0], on: stage)
                }
                #expect(result.status == 0, "\(result.lastWords)\n\(client.output.lastWords)")
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
