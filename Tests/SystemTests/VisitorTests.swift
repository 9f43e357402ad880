import Foundation
import Testing

/// The web origin fixture.
struct WebPeer: Decodable, Sendable {
    let http: Int
    let websocket: Int

    static func start(on stage: Stage) async throws -> WebPeer {
        try await stage.fixture("web-peer", "serve", as: WebPeer.self).facts
    }

    /// A chain with this origin at `www`, its WebSocket server at `ws`.
    func chain(on stage: Stage) async throws -> Chain {
        let chain = try await Chain.start(on: stage)
        let hosts = [Chain.host("www"), Chain.host("ws")]
        let tunnel = try await chain.tunnel("web", hosts: hosts)
        try await chain.connector(
            tunnel, ingress: [hosts[0]: "http://127.0.0.1:\(http)", hosts[1]: "http://127.0.0.1:\(websocket)"])
        return chain
    }
}

extension SystemTests {
    @Suite(.timeLimit(.minutes(5))) struct VisitorTests {
        @Test(arguments: ["1.1", "2"])
        func `curl gets a page over either version of HTTP`(version: String) async throws {
            try await Stage.run { stage in
                let chain = try await WebPeer.start(on: stage).chain(on: stage)
                let www = Chain.host("www")
                let flag = version == "2" ? "--http2" : "--http1.1"
                let page = try await chain.curl(www, "/hello", flag)
                #expect(page.body == "hello from the origin\n")
                #expect(page.answer == "\(version) 200")
                #expect(try await chain.curl(www, "/absent", flag).answer == "\(version) 404")
            }
        }

        @Test(arguments: ["--http1.1", "--http2"])
        func `a body of 8 MiB arrives whole, with and without its length`(flag: String) async throws {
            try await Stage.run { stage in
                let chain = try await WebPeer.start(on: stage).chain(on: stage)
                let www = Chain.host("www")
                let body = try stage.write(String(repeating: "12345678", count: 1 << 20), to: "body")
                let wanted = try await stage.finish(["sha256sum", body]).standardOutput.prefix(64)
                let sized = try await chain.curl(www, "/hash", flag, "--data-binary", "@\(body)")
                #expect(sized.body == wanted + "\n")
                let chunked = try await chain.curl(
                    www, "/hash", flag, "--data-binary", "@\(body)", "-H", "Transfer-Encoding: chunked")
                #expect(chunked.body == wanted + "\n")
            }
        }

        @Test(arguments: ["--http1.1", "--http2"])
        func `what the origin sends first is seen before it has finished`(flag: String) async throws {
            try await Stage.run { stage in
                let chain = try await WebPeer.start(on: stage).chain(on: stage)
                let www = Chain.host("www")
                let slow = try stage.start(
                    [
                        "curl", "--silent", "--no-buffer", "--max-time", "60", "--cacert", chain.ca, flag, "--noproxy",
                        "*",
                    ]
                        + chain.visiting(www) + ["https://\(www):\(chain.httpsPort)/first-then-wait"])
                try await slow.says("data: first")
                #expect(try await chain.curl(www, "/go-on", flag).answer.hasSuffix("200"))
                let output = try await slow.ended()
                #expect(output.standardOutput.contains("data: second"))
                #expect(output.status == 0)
            }
        }

        @Test func `the origin is told the visitor's host and address`() async throws {
            try await Stage.run { stage in
                let chain = try await WebPeer.start(on: stage).chain(on: stage)
                let page = try await chain.curl(Chain.host("www"), "/headers", "-H", "X-Own: kept")
                let pairs = try JSONDecoder().decode([[String]].self, from: Data(page.body.utf8))
                let headers = Dictionary(pairs.map { ($0[0].lowercased(), $0[1]) }, uniquingKeysWith: { $1 })
                #expect(headers["host"]?.hasPrefix(Chain.host("www")) == true)
                #expect(headers["cf-connecting-ip"] == "127.0.0.1")
                #expect(headers["x-forwarded-proto"] == "https")
                #expect(headers["x-own"] == "kept")
            }
        }

        @Test func `WebSocket messages come back as they were sent`() async throws {
            try await Stage.run { stage in
                let chain = try await WebPeer.start(on: stage).chain(on: stage)
                let result = try await stage.call(
                    "web-peer", "echo", "wss://\(Chain.host("ws")):\(chain.httpsPort)/", "--ca", chain.ca,
                    "--address", chain.httpsAddress)
                #expect(result.status == 0, "\(result.lastWords)")
            }
        }
    }

    @Suite(.timeLimit(.minutes(5))) struct AdmissionTests {
        struct ServiceToken: Decodable {
            let clientID: String
            let clientSecret: String

            enum CodingKeys: String, CodingKey {
                case clientID = "client_id"
                case clientSecret = "client_secret"
            }
        }

        @Test func `a host that nobody opened is closed, and the answer says how to open it`() async throws {
            try await Stage.run { stage in
                let peer = try await WebPeer.start(on: stage)
                let chain = try await Chain.start(on: stage)
                let www = Chain.host("www")
                let tunnel = try await chain.tunnel("web", hosts: [www], open: false)
                try await chain.connector(tunnel, ingress: [www: "http://127.0.0.1:\(peer.http)"])
                let page = try await chain.curl(www, "/hello")
                #expect(page.answer.hasSuffix("403"))
                #expect(page.body.contains("access app add \(www)"))
                try await chain.admin("access", "app", "add", www, "--open")
                #expect(try await chain.curl(www, "/hello").body == "hello from the origin\n")
            }
        }

        @Test func `a service token opens a host, and nothing else does`() async throws {
            try await Stage.run { stage in
                let peer = try await TCPPeer.start(on: stage)
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("tcp")
                let tunnel = try await chain.tunnel("peer", hosts: [host], open: false)
                let token = try await chain.admin("access", "token", "create", "--name", "robot", as: ServiceToken.self)
                try await chain.admin("access", "app", "add", host, "--service-token", token.clientID)
                try await chain.connector(tunnel, ingress: [host: "tcp://127.0.0.1:\(peer.port)"])

                let right = try await chain.forward(
                    "tcp", to: host, "--service-token-id", token.clientID, "--service-token-secret",
                    token.clientSecret)
                let allowed = try await peer.check("ask", at: right.port, on: stage)
                #expect(allowed.status == 0, "\(allowed.lastWords)\n\(right.program.output.lastWords)")

                let wrong = try await chain.forward(
                    "tcp", to: host, "--service-token-id", token.clientID, "--service-token-secret", "wrong")
                #expect(try await peer.check("ask", at: wrong.port, on: stage).status != 0)
                try await wrong.program.says("ERR")

                let none = try await chain.forward("tcp", to: host)
                #expect(try await peer.check("ask", at: none.port, on: stage).status != 0)
                try await none.program.says("ERR")

                let everything = chain.edge.output.lines + right.program.output.lines + wrong.program.output.lines
                #expect(!everything.contains { $0.text.contains(token.clientSecret) }, "a secret was logged")
            }
        }

        @Test func `the classic form may be repeated and serves the host once`() async throws {
            try await Stage.run { stage in
                let peer = try await WebPeer.start(on: stage)
                let chain = try await Chain.start(on: stage)
                let www = Chain.host("www")
                try await chain.admin("access", "app", "add", www, "--open")
                for _ in 1...2 {
                    let connector = try await chain.classicConnector(
                        "--hostname", www, "--url", "http://127.0.0.1:\(peer.http)")
                    #expect(try await chain.curl(www, "/hello").body == "hello from the origin\n")
                    #expect(await connector.stop().status == 0)
                }
                let tunnels = try await chain.admin("tunnel", "list", as: [Chain.Tunnel].self)
                #expect(tunnels.count == 1)
            }
        }
    }
}
