import Foundation
import Testing

extension SystemTests {
    /// What monitors see of a connector whose links stand.
    @Suite(.timeLimit(.minutes(5))) struct ReadinessTests {
        @Test func `a canary that does not come back makes a connector not ready until it does`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let tunnel = try await chain.tunnel("canary", hosts: [Chain.host("www")])
                func rules(_ status: Int) -> String {
                    Reloadable.rules([(Chain.host("www"), "http_status:\(status)")])
                }
                let config = try stage.write(rules(200), to: "config.yml")
                let metrics = try freePort()
                let connector = try stage.start(
                    [Stage.executable("cloudflared"), "tunnel", "--config", config, "--loglevel", "debug"]
                        + chain.connecting(metrics: metrics)
                        + [
                            "run", "--token", try await chain.token(of: tunnel), "--ready-canary-interval", "1s",
                            "--ready-canary", "https://\(Chain.host("www")):\(chain.httpsPort)/?secret=hidden",
                        ])
                try await chain.ready(connector, metrics: metrics)
                try await connector.says("Watching the configuration file")
                func ask(_ path: String) async throws -> String {
                    try await stage.finish(
                        [
                            "curl", "--silent", "--max-time", "30", "--write-out", " %{http_code}",
                            "http://127.0.0.1:\(metrics)\(path)",
                        ]
                    ).standardOutput
                }
                _ = try stage.write(rules(503), to: "config.yml")
                let line = try await connector.says("The ready canary does not come back")
                #expect(line.contains("answered 503") && !line.contains("hidden"), "\(line)")
                let ready = try await ask("/ready")
                #expect(ready.hasSuffix(" 503") && ready.contains(#""readyConnections":2"#), "\(ready)")
                #expect(ready.contains("answered 503"), "\(ready)")
                #expect(try await ask("/readyz?min=1").hasSuffix(" 503"))
                #expect(try await ask("/livez").hasSuffix(" 200"))
                let text = try await ask("/metrics")
                #expect(text.contains("cloudflared_ready_canary_successful 0\n"))
                _ = try stage.write(rules(204), to: "config.yml")
                try await connector.says("The ready canary comes back again")
                #expect(try await ask("/ready").hasSuffix(" 200"))
            }
        }

        @Test func `whoever uses up the file descriptors of a connector does not end it`() async throws {
            try await Stage.run { stage in
                let chain = try await Chain.start(on: stage)
                let tunnel = try await chain.tunnel("few", hosts: [Chain.host("www")])
                let metrics = try freePort()
                let connector = try stage.start(
                    ["bash", "-c", "ulimit -n 64 && exec \"$@\"", "bash", Stage.executable("cloudflared"), "tunnel"]
                        + chain.connecting(metrics: metrics)
                        + ["run", "--hello-world", "--token", try await chain.token(of: tunnel)])
                try await chain.ready(connector, metrics: metrics)
                let held = try stage.start([
                    Stage.fixtures.appendingPathComponent("hold-open").path, "\(metrics)", "100",
                ])
                try await held.says("held")
                #expect(try await chain.curl(Chain.host("www"), "/").answer.hasSuffix(" 200"))
                await held.stop()
                try await chain.ready(connector, metrics: metrics)
                #expect(try await chain.curl(Chain.host("www"), "/").answer.hasSuffix(" 200"))
                #expect(connector.output.status == nil)
            }
        }
    }
}
