import Foundation
import Testing

extension SystemTests {
    /// Ours and the official client in each other's place; runs when `CLOUDFLARED_PEER` names an official binary.
    @Suite(.enabled(if: Stage.peer != nil, "CLOUDFLARED_PEER names no official client"), .timeLimit(.minutes(5)))
    struct InteropTests {
        let official = Stage.peer ?? ""

        @Test(arguments: Desktop.Engine.allCases)
        func `official connector, our edge, our client`(engine: Desktop.Engine) async throws {
            try await Stage.run { stage in
                let desktop = try await Desktop.start(engine, on: stage)
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("rdp")
                let tunnel = try await chain.tunnel("desk", hosts: [host])
                try await chain.connector(
                    tunnel, ingress: [host: "rdp://127.0.0.1:\(desktop.port)"], program: official)
                let client = try await chain.forward("rdp", to: host)
                let session = try await desktop.session(at: client.port, on: stage)
                #expect(session.status == 0, "\(session.lastWords)\n\(client.program.output.lastWords)")
            }
        }

        @Test(arguments: Desktop.Engine.allCases)
        func `our connector, our edge, official client`(engine: Desktop.Engine) async throws {
            try await Stage.run { stage in
                let desktop = try await Desktop.start(engine, on: stage)
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("rdp")
                let tunnel = try await chain.tunnel("desk", hosts: [host])
                try await chain.connector(tunnel, ingress: [host: "rdp://127.0.0.1:\(desktop.port)"])
                let client = try await officialForward("rdp", to: host, of: chain)
                let session = try await desktop.session(at: client.port, on: stage)
                #expect(session.status == 0, "\(session.lastWords)\n\(client.program.output.lastWords)")
            }
        }

        @Test func `64 MiB each way, ours on either side of the official client`() async throws {
            try await Stage.run { stage in
                let peer = try await TCPPeer.start(on: stage)
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("tcp")
                let tunnel = try await chain.tunnel("peer", hosts: [host])
                let ingress = [host: "tcp://127.0.0.1:\(peer.port)"]
                let ours = try await chain.connector(tunnel, ingress: ingress)
                let client = try await officialForward("tcp", to: host, of: chain)
                // The official client ends both directions with the first, so "up" cannot get its answer.
                let down = try await peer.check("down", 64 << 20, at: client.port, on: stage)
                #expect(down.status == 0, "\(down.lastWords)")
                await ours.stop()

                try await chain.connector(tunnel, ingress: ingress, program: official)
                let own = try await chain.forward("tcp", to: host)
                let again = try await peer.check("down", 64 << 20, at: own.port, on: stage)
                #expect(again.status == 0, "\(again.lastWords)")
            }
        }

        @Test func `pages and WebSockets through the official connector`() async throws {
            try await Stage.run { stage in
                let peer = try await WebPeer.start(on: stage)
                let chain = try await Chain.start(on: stage)
                let hosts = [Chain.host("www"), Chain.host("ws")]
                let tunnel = try await chain.tunnel("web", hosts: hosts)
                try await chain.connector(
                    tunnel,
                    ingress: [
                        hosts[0]: "http://127.0.0.1:\(peer.http)", hosts[1]: "http://127.0.0.1:\(peer.websocket)",
                    ], program: official)
                #expect(try await chain.curl(hosts[0], "/hello", "--http2").body == "hello from the origin\n")
                let result = try await stage.call(
                    "web-peer", "echo", "wss://\(hosts[1]):\(chain.httpsPort)/", "--ca", chain.ca,
                    "--address", chain.httpsAddress)
                #expect(result.status == 0, "\(result.lastWords)")
            }
        }

        @Test func `official tunnel create, list, route dns and delete against our account API`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("www")
                func run(_ words: String...) async throws -> Output {
                    let output = try await stage.finish(
                        [official, "tunnel"] + chain.accountByAddress + words,
                        environment: chain.trust.merging(["NO_AUTOUPDATE": "true"]) { $1 })
                    #expect(output.status == 0, "\(words): \(output.lastWords)")
                    return output
                }
                let credentials = stage.scratch.appendingPathComponent("made.json").path
                let made = try await run("create", "--credentials-file", credentials, "theirs")
                #expect(made.standardOutput.contains("Created tunnel theirs with id"))
                #expect(try await run("list").standardOutput.contains("theirs"))
                _ = try await run("route", "dns", "theirs", host)
                let routes = try await chain.admin("route", "list")
                #expect(routes.standardOutput.contains(host))
                #expect(try await run("token", "theirs").standardOutput.count > 40)
                _ = try await run("delete", "-f", "theirs")
                #expect(try await !run("list").standardOutput.contains("theirs"))
            }
        }

        /// The official client takes names under `.localhost` to the resolver, so it is told where to connect.
        private func officialForward(
            _ kind: String, to host: String, of chain: Chain
        ) async throws -> (program: Program, port: Int) {
            try await chain.forward(
                kind, to: host, "--connect-to", "\(host):\(chain.httpsPort):127.0.0.1", program: official)
        }
    }
}
