import Foundation
import Testing

/// A command that must end with an error: what is wrong, and what its one line on standard error must name.
struct BadCommand: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Words that the line must hold: the hop or file that failed, and what to do next.
    let words: [String]
    /// Documented exit status; nil where any but 0 will do.
    let status: Int32?
    let command: @Sendable (Chain) async throws -> [String]

    init(
        _ description: String, says words: [String], status: Int32? = nil,
        _ command: @escaping @Sendable (Chain) async throws -> [String]
    ) {
        testDescription = description
        self.words = words
        self.status = status
        self.command = command
    }

    private static let cloudflared = Stage.executable("cloudflared")
    private static let edge = Stage.executable("cloudflared-edge")

    static let all: [BadCommand] = [
        BadCommand("a token that is no token", says: ["token"], status: 78) { chain in
            [cloudflared, "tunnel"] + chain.connecting(metrics: try freePort()) + ["run", "--token", "rubbish"]
        },
        BadCommand("a broken config.yml", says: ["config.yml:", "indentation"], status: 78) { chain in
            let config = try chain.stage.write("tunnel: x\ningress:\n  - service: [\n", to: "config.yml")
            return [cloudflared, "tunnel", "--config", config, "run"]
        },
        BadCommand("a wrong value in config.yml", says: ["config.yml:2: ingress[0].service", "4044"], status: 78) {
            chain in
            let config = try chain.stage.write("ingress:\n  - service: http_status:4044\n", to: "config.yml")
            return [cloudflared, "tunnel", "--config", config, "run"]
        },
        BadCommand("a config.yml that is not there", says: ["missing.yml"], status: 78) { chain in
            [cloudflared, "tunnel", "--config", chain.data + "/missing.yml", "run"]
        },
        BadCommand("a bastion without its list", says: ["--bastion-allow"], status: 78) { chain in
            [cloudflared, "tunnel"] + chain.connecting(metrics: try freePort()) + chain.account + [
                "--hostname", Chain.host("bastion"), "--bastion",
            ]
        },
        BadCommand("a host outside the zone", says: ["elsewhere.test", Chain.zone], status: 1) { chain in
            [cloudflared, "tunnel"] + chain.connecting(metrics: try freePort()) + chain.account + [
                "--hostname", "www.elsewhere.test", "--url", "http://127.0.0.1:1",
            ]
        },
        BadCommand("a host that another tunnel serves", says: [Chain.host("www"), "other"], status: 1) { chain in
            _ = try await chain.tunnel("other", hosts: [Chain.host("www")])
            return [cloudflared, "tunnel"] + chain.connecting(metrics: try freePort()) + chain.account + [
                "--hostname", Chain.host("www"), "--url", "http://127.0.0.1:1",
            ]
        },
        BadCommand("a listen port that is taken", says: ["in use"], status: 69) { chain in
            [cloudflared, "access", "tcp", "--hostname", Chain.host("tcp"), "--url", chain.httpsAddress]
        },
        BadCommand("output that is not taken", says: ["standard output"], status: 1) { _ in
            ["bash", "-c", #""$0" version >/dev/full"#, cloudflared]
        },
        BadCommand("standard output that is closed", says: ["standard output"], status: 1) { _ in
            ["bash", "-c", #""$0" version >&-"#, edge]
        },
        BadCommand("a secret that nobody could read", says: ["token remove", "create another"], status: 1) { chain in
            [
                "bash", "-c", #""$0" access token create --name z --data-dir "$1" >/dev/full"#, edge, chain.data,
            ]
        },
        BadCommand("an unknown flag", says: ["--no-such-flag"], status: 2) { _ in
            [cloudflared, "access", "tcp", "--no-such-flag"]
        },
        BadCommand("init on a used directory", says: ["holds an edge already", "nothing was changed"], status: 78) {
            chain in
            [edge, "init", "--data-dir", chain.data, "--zone", Chain.zone]
        },
        BadCommand("an edge without a data directory", says: ["cloudflared-edge init"], status: 78) { chain in
            [edge, "run", "--data-dir", chain.data + "/none"]
        },
        BadCommand("an edge on a directory in use", says: ["runs on", "stop it first"], status: 69) { chain in
            [edge, "run", "--data-dir", chain.data, "--tunnel-listen", "127.0.0.1:0", "--https-listen", "127.0.0.1:0"]
        },
        BadCommand("an edge whose port is taken", says: ["is taken", "--tunnel-listen"], status: 69) { chain in
            let data = chain.stage.scratch.appendingPathComponent("second").path
            let made = try await chain.stage.finish([edge, "init", "--data-dir", data, "--zone", Chain.zone])
            #expect(made.status == 0, "\(made.lastWords)")
            return [
                edge, "run", "--data-dir", data, "--tunnel-listen", chain.tunnelAddress, "--https-listen",
                "127.0.0.1:0",
            ]
        },
        BadCommand("a route to a tunnel that does not exist", says: ["nosuch", "tunnel list"], status: 1) { chain in
            [edge, "route", "add", Chain.host("www"), "nosuch", "--data-dir", chain.data]
        },
    ]
}

extension SystemTests {
    @Suite(.timeLimit(.minutes(5))) struct BadInputTests {
        @Test(arguments: BadCommand.all)
        func `a command that cannot work ends with one clear line`(bad: BadCommand) async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let output = try await stage.finish(
                    try await bad.command(chain), environment: chain.trust, within: 40)
                #expect(output.status != 0 && output.status != nil)
                if let status = bad.status { #expect(output.status == status) }
                let last = output.standardError.split(separator: "\n").last.map(String.init) ?? ""
                for word in bad.words { #expect(last.contains(word), "\(output.lastWords)") }
                #expect(!output.standardError.contains("Fatal error"))
            }
        }

        @Test func `a misspelt key in config_yml is named with what was meant`() async throws {
            try await Stage.run { stage in
                let config = try stage.write(
                    "ingress:\n  - hostnam: a.test\n    service: http_status:404\n", to: "config.yml")
                let output = try await stage.finish([
                    Stage.executable("cloudflared"), "tunnel", "--config", config, "ingress", "validate",
                ])
                #expect(output.lines.contains { $0.text.contains("config.yml:2: ingress[0].hostnam") })
                #expect(output.lines.contains { $0.text.contains("did you mean hostname?") })
            }
        }

        /// Runs a connector with a secret of its own making until the edge's refusal ended it.
        private func refused(_ chain: Chain, tunnel id: String) async throws -> Output {
            let secret = Data(repeating: 7, count: 32).base64EncodedString()
            let token = #"{"a":"none","s":"\#(secret)","t":"\#(id)"}"#
            return try await chain.stage.finish(
                [Stage.executable("cloudflared"), "tunnel"] + chain.connecting(metrics: try freePort()) + [
                    "run", "--token", Data(token.utf8).base64EncodedString(),
                ], within: 40)
        }

        @Test func `a tunnel that the edge does not know is refused with the remedy`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let output = try await refused(chain, tunnel: "6b2ff2ca-2f0c-44f8-9f4f-6e5b0cde0a17")
                #expect(output.status == 1)
                let last = output.standardError.split(separator: "\n").last ?? ""
                #expect(last.contains("no such tunnel") && last.contains("tunnel create"), "\(output.lastWords)")
            }
        }

        @Test func `a wrong secret is refused with the remedy and is not shown`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let output = try await refused(chain, tunnel: try await chain.tunnel("desk", hosts: []).id)
                #expect(output.status == 1)
                let last = output.standardError.split(separator: "\n").last ?? ""
                #expect(last.contains("secret") && last.contains("token"), "\(output.lastWords)")
                #expect(!output.standardError.contains(Data(repeating: 7, count: 32).base64EncodedString()))
            }
        }

        @Test func `a connector under a wrong authority says so and names the remedy`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let tunnel = try await chain.tunnel("desk", hosts: [])
                let other = stage.scratch.appendingPathComponent("other").path
                let made = try await stage.finish(
                    [Stage.executable("cloudflared-edge"), "init", "--data-dir", other, "--zone", "other.localhost"])
                #expect(made.status == 0)
                let token = try await chain.token(of: tunnel)
                let connector = try stage.start([
                    Stage.executable("cloudflared"), "tunnel", "--edge", chain.tunnelAddress, "--cacert",
                    other + "/ca.pem", "--protocol", "http2", "--no-autoupdate", "--metrics", "127.0.0.1:0", "run",
                    "--token", token,
                ])
                let line = try await connector.says("ertificate")
                #expect(line.contains("--cacert"), "\(line)")
            }
        }

        @Test func `an expired edge certificate is refused by name`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let tunnel = try await chain.tunnel("desk", hosts: [])
                let token = try await chain.token(of: tunnel)
                // A listener of openssl's with a certificate that ended yesterday, signed by itself.
                let key = stage.scratch.appendingPathComponent("old.key").path
                let pem = stage.scratch.appendingPathComponent("old.pem").path
                let script = """
                    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$0" -out "$1.now" -subj /CN=h2.cftunnel.com \
                        -addext subjectAltName=DNS:h2.cftunnel.com -days 1 &&
                    openssl x509 -in "$1.now" -signkey "$0" -days -1 -out "$1" -copy_extensions copyall
                    """
                let made = try await stage.finish(["bash", "-c", script, key, pem])
                #expect(made.status == 0, "\(made.lastWords)")
                let port = try freePort()
                _ = try stage.start([
                    "openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-key", key, "-cert", pem, "-quiet",
                ])
                try await stage.await("listening", "\(port)")
                let connector = try stage.start([
                    Stage.executable("cloudflared"), "tunnel", "--edge", "127.0.0.1:\(port)", "--cacert", pem,
                    "--protocol", "http2", "--no-autoupdate", "--metrics", "127.0.0.1:0", "run", "--token", token,
                ])
                try await connector.says("expired")
            }
        }

        @Test func `an edge that is not there is named, and the connector goes on trying`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let token = try await chain.token(of: try await chain.tunnel("desk", hosts: []))
                let address = "127.0.0.1:\(try freePort())"
                let connector = try stage.start([
                    Stage.executable("cloudflared"), "tunnel", "--edge", address, "--cacert", chain.ca,
                    "--protocol", "http2", "--no-autoupdate", "--metrics", "127.0.0.1:0", "run", "--token", token,
                ])
                try await connector.seen("tries again") { output in
                    let failures = output.lines.filter { !$0.text.contains(" INF ") && $0.text.contains(address) }
                    return failures.count > 1 ? true : nil
                }
                try await connector.says("connection refused); check --edge and that the edge runs")
                #expect(connector.output.status == nil)
            }
        }

        @Test func `the visitors' port given as the edge is told from the tunnel port`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let token = try await chain.token(of: try await chain.tunnel("desk", hosts: []))
                let connector = try stage.start([
                    Stage.executable("cloudflared"), "tunnel", "--edge", chain.httpsAddress, "--cacert", chain.ca,
                    "--protocol", "http2", "--no-autoupdate", "--metrics", "127.0.0.1:0", "run", "--token", token,
                ])
                let line = try await connector.says("--edge must name")
                #expect(!line.contains("file:") && !line.contains("NIO"), "\(line)")
            }
        }

        @Test func `an origin that refuses is named on the way to the client`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("rdp")
                let origin = "127.0.0.1:\(try freePort())"
                let tunnel = try await chain.tunnel("desk", hosts: [host])
                let connector = try await chain.connector(tunnel, ingress: [host: "rdp://\(origin)"])
                let client = try await chain.forward("rdp", to: host)
                let peer = try await TCPPeer.start(on: stage)
                #expect(try await peer.check("ask", at: client.port, on: stage).status != 0)
                let line = try await connector.says(origin)
                #expect(line.contains("is RDP enabled on"), "\(line)")
                try await client.program.says("502")
            }
        }

        enum Garbage: String, CaseIterable {
            case text = "rubbish\r\n\r\n"
            case plainHTTP = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            case brokenTLS = "\u{16}\u{3}\u{1}\u{0}\u{5}hello"
        }

        @Test(arguments: Garbage.allCases)
        func `garbage on either port costs only its own connection`(garbage: Garbage) async throws {
            try await Stage.run { stage in
                let peer = try await WebPeer.start(on: stage)
                let chain = try await peer.chain(on: stage)
                for address in [chain.tunnelAddress, chain.httpsAddress] {
                    let parts = address.split(separator: ":").map(String.init)
                    let file = try stage.write(garbage.rawValue, to: "garbage")
                    let script = #"exec 3<>"/dev/tcp/$0/$1"; cat "$2" >&3; timeout 20 cat <&3"#
                    let sent = try await stage.finish(["bash", "-c", script, parts[0], parts[1], file])
                    // 124 would mean that the edge still waited for more after 20 seconds.
                    #expect(sent.status != 124, "\(address) kept a connection that speaks no TLS")
                }
                #expect(try await chain.curl(Chain.host("www"), "/hello").body == "hello from the origin\n")
                for port in ["Tunnel port", "Https port"] {
                    let line = try await chain.edge.says(port)
                    #expect(line.contains("127.0.0.1") && line.contains("WRN"), "\(line)")
                }
                #expect(chain.edge.output.status == nil)
            }
        }
    }
}
