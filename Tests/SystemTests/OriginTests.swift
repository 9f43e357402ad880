import Foundation
import Testing

extension SystemTests {
    /// Origins of every kind, asked by the programs people have.
    @Suite(.timeLimit(.minutes(5))) struct OriginTests {
        private struct WebPorts: Decodable { let http: Int }

        @Test func `curl goes through the SOCKS proxy of a tunnel where its rules let it`() async throws {
            try await Stage.run { stage in
                let web = try await stage.fixture("web-peer", "serve", as: WebPorts.self).facts
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("socks")
                let tunnel = try await chain.tunnel("proxy", hosts: [host])
                try await chain.connector(
                    tunnel,
                    rules: [
                        """
                          - hostname: \(host)
                            service: socks-proxy
                            originRequest:
                              ipRules:
                                - {prefix: 127.0.0.1/32, ports: [\(web.http)], allow: true}
                        """
                    ])
                let client = try await chain.forward("tcp", to: host)
                let proxy = "socks5h://127.0.0.1:\(client.port)"
                let through = try await stage.finish([
                    "curl", "-sS", "--max-time", "20", "-x", proxy, "-o", "/dev/null", "-w", "%{http_code}",
                    "http://localhost:\(web.http)/hello",
                ])
                #expect(through.status == 0, "\(through.lastWords)")
                #expect(through.standardOutput == "200")
                let denied = try await stage.finish([
                    "curl", "-sS", "--max-time", "20", "-x", proxy, "http://127.0.0.1:\(chain.httpsPort)/",
                ])
                #expect(denied.status == 97, "\(denied.lastWords)")
            }
        }
    }
}
