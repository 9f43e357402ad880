import Foundation
import Testing

/// The TCP fixture: servers and the clients that check them.
struct TCPPeer: Sendable {
    private struct Facts: Decodable { let port: Int }

    let program: Program
    let port: Int

    static func start(on stage: Stage) async throws -> TCPPeer {
        let peer = try await stage.fixture("tcp-peer", "serve", as: Facts.self)
        return TCPPeer(program: peer.program, port: peer.facts.port)
    }

    func check(_ name: String, _ number: Int = 0, at port: Int, on stage: Stage) async throws -> Output {
        try await stage.call("tcp-peer", "call", "127.0.0.1", "\(port)", name, "\(number)")
    }

    /// A chain whose only host leads to this peer, and the local port of a client.
    func chain(on stage: Stage) async throws -> (chain: Chain, client: Program, port: Int) {
        let chain = try await Chain.start(on: stage)
        let host = Chain.host("tcp")
        let tunnel = try await chain.tunnel("peer", hosts: [host])
        try await chain.connector(tunnel, ingress: [host: "tcp://127.0.0.1:\(port)"])
        let client = try await chain.forward("tcp", to: host)
        return (chain, client.program, client.port)
    }
}

extension SystemTests {
    @Suite(.timeLimit(.minutes(5))) struct StreamTests {
        @Test func `64 MiB arrive whole in each direction`() async throws {
            try await Stage.run { stage in
                let peer = try await TCPPeer.start(on: stage)
                let port = try await peer.chain(on: stage).port
                for direction in ["up", "down"] {
                    let result = try await peer.check(direction, 64 << 20, at: port, on: stage)
                    #expect(result.status == 0, "\(direction): \(result.lastWords)")
                }
            }
        }

        @Test func `200 streams are open at once and do not mix`() async throws {
            try await Stage.run { stage in
                let peer = try await TCPPeer.start(on: stage)
                let port = try await peer.chain(on: stage).port
                let result = try await peer.check("echo", 200, at: port, on: stage)
                #expect(result.status == 0, "\(result.lastWords)")
            }
        }

        @Test func `the client's end does not cost the answer`() async throws {
            try await Stage.run { stage in
                let peer = try await TCPPeer.start(on: stage)
                let port = try await peer.chain(on: stage).port
                let result = try await peer.check("ask", at: port, on: stage)
                #expect(result.status == 0, "\(result.lastWords)")
            }
        }

        @Test func `the origin's end does not cost what the client still sends`() async throws {
            try await Stage.run { stage in
                let peer = try await TCPPeer.start(on: stage)
                let port = try await peer.chain(on: stage).port
                let result = try await peer.check("late", at: port, on: stage)
                #expect(result.status == 0, "\(result.lastWords)")
                try await peer.program.says(#"{"late": "said after your end"}"#)
            }
        }

        @Test func `ssh runs through the client as its proxy command`() async throws {
            struct Server: Decodable {
                let port: Int
                let user: String
                let identity: String
                let knownHosts: String
            }
            try await Stage.run { stage in
                let server = try await stage.fixture("ssh-server", as: Server.self).facts
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("ssh")
                let tunnel = try await chain.tunnel("shell", hosts: [host])
                try await chain.connector(tunnel, ingress: [host: "ssh://127.0.0.1:\(server.port)"])
                let proxy = "\(Stage.executable("cloudflared")) access ssh --hostname %h:\(chain.httpsPort)"
                let options = [
                    "ProxyCommand=\(proxy)", "HostKeyAlias=desk", "UserKnownHostsFile=\(server.knownHosts)",
                    "IdentitiesOnly=yes", "BatchMode=yes",
                ]
                let output = try await stage.finish(
                    ["ssh", "-F", "none", "-i", server.identity] + options.flatMap { ["-o", $0] } + [
                        "\(server.user)@\(host)", "sha256sum; exit 7",
                    ], environment: chain.trust, input: String(repeating: "through the tunnel\n", count: 100_000))
                #expect(output.status == 7, "\(output.lastWords)")
                // SHA-256 of that line a hundred thousand times.
                #expect(
                    output.standardOutput == "76434afdf28571a19e200932b327d45e144a937b73d5629fb312216dc8a2c4b3  -")
            }
        }
    }
}
