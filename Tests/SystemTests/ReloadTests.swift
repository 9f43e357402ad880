import Foundation
import Glibc
import Testing

/// A connector whose configuration file a test changes while it runs.
struct Reloadable {
    let chain: Chain
    let config: String
    let connector: Program
    let metrics: Int

    static let www = Chain.host("www")
    static let other = Chain.host("other")

    /// The rules, one line each in the file.
    static func rules(_ ingress: [(host: String, service: String)], more: String = "") -> String {
        let rules = ingress.map { "  - {hostname: \($0.host), service: \"\($0.service)\"}\n" }.joined()
        return "\(more)ingress:\n\(rules)  - service: http_status:404\n"
    }

    /// Starts it with `www` answering 201, in a directory of its own.
    static func start(
        on stage: Stage, rules first: String? = nil, environment: [String: String] = [:], flags: [String] = []
    ) async throws -> Reloadable {
        let chain = try await Chain.start(on: stage)
        let tunnel = try await chain.tunnel("reload", hosts: [www, other])
        try FileManager.default.createDirectory(
            at: stage.scratch.appendingPathComponent("etc"), withIntermediateDirectories: true)
        let config = try stage.write(first ?? rules([(www, "http_status:201")]), to: "etc/config.yml")
        let metrics = try freePort()
        let connector = try stage.start(
            [Stage.executable("cloudflared"), "tunnel", "--config", config, "--loglevel", "debug"]
                + chain.connecting(metrics: metrics) + flags + ["run", "--token", try await chain.token(of: tunnel)],
            environment: environment)
        try await chain.ready(connector, metrics: metrics)
        try await connector.says("Watching the configuration file")
        return Reloadable(chain: chain, config: config, connector: connector, metrics: metrics)
    }

    /// Replaces the file as editors and configuration management do.
    func replace(_ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: config + ".new"))
        try #require(rename(config + ".new", config) == 0)
    }

    /// Waits for the line of the reload with this number, from 1.
    func reloaded(_ number: Int = 1) async throws {
        try await connector.seen("reload \(number)") { output in
            output.lines.filter { $0.text.contains("Configuration reloaded") }.count >= number ? true : nil
        }
    }

    func status(_ host: String) async throws -> String {
        String(try await chain.curl(host, "/").answer.suffix(3))
    }

    /// The body of the metrics server's answer.
    func ask(_ path: String) async throws -> String {
        let output = try await chain.stage.finish(
            ["curl", "--silent", "--show-error", "--max-time", "30", "http://127.0.0.1:\(metrics)\(path)"])
        try #require(output.status == 0, "\(output.lastWords)")
        return output.standardOutput
    }
}

extension SystemTests {
    @Suite(.timeLimit(.minutes(5))) struct ReloadTests {
        @Test func `the edge is told of a changed configuration over the link that lives`() async throws {
            try await Stage.run { stage in
                let under = try await Reloadable.start(on: stage)
                func answered(_ pushes: Int) async throws {
                    let counted = "cloudflared_config_local_config_pushes \(pushes)"
                    try await stage.await("line", "http://127.0.0.1:\(under.metrics)/metrics \(counted)")
                }
                try await answered(1)
                try under.replace(Reloadable.rules([(Reloadable.other, "http_status:202")]))
                try await answered(2)
                #expect(try await under.ask("/metrics").contains("cloudflared_config_local_config_pushes_errors 0\n"))
                // As the edge has it now.
                let stored = try await stage.finish([
                    "python3", "-c",
                    "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT json FROM configuration'))",
                    under.chain.data + "/edge.sqlite",
                ])
                #expect(stored.standardOutput.contains("http_status:202"), "\(stored.lastWords)")
                #expect(under.connector.registrations == 2)
            }
        }

        @Test func `SIGHUP and a renamed file put new rules in force`() async throws {
            try await Stage.run { stage in
                let under = try await Reloadable.start(on: stage)
                #expect(try await under.status(Reloadable.www) == "201")
                #expect(try await under.status(Reloadable.other) == "404")

                try under.replace(Reloadable.rules([(Reloadable.other, "http_status:202")]))
                try await under.reloaded()
                #expect(try await under.status(Reloadable.www) == "404")
                #expect(try await under.status(Reloadable.other) == "202")
                #expect(try await under.ask("/config").contains(#""service":"http_status:202""#))

                under.connector.signal(SIGHUP)
                try await under.reloaded(2)
                try await under.connector.says("cause=SIGHUP")

                // The watch is not lost with the first rename.
                try under.replace(Reloadable.rules([(Reloadable.www, "http_status:203")]))
                try await under.reloaded(3)
                #expect(try await under.status(Reloadable.www) == "203")
                let metrics = try await under.ask("/metrics")
                #expect(metrics.contains("cloudflared_config_reloads_total 3\n"))
                #expect(metrics.contains("cloudflared_config_last_reload_successful 1\n"))
            }
        }

        @Test func `a bad file is reported with its line and key, and the old rules stay`() async throws {
            try await Stage.run { stage in
                let under = try await Reloadable.start(on: stage)
                try under.replace("ingress:\n  - hostname: \(Reloadable.www)\n    service: nonsense\n")
                let line = try await under.connector.says("the old one stays in force")
                #expect(line.contains("config.yml:3: ingress[0].service: "), "\(line)")
                #expect(try await under.status(Reloadable.www) == "201")
                let metrics = try await under.ask("/metrics")
                #expect(metrics.contains("cloudflared_config_reload_errors_total 1\n"))
                #expect(metrics.contains("cloudflared_config_last_reload_successful 0\n"))

                try under.replace(Reloadable.rules([(Reloadable.www, "http_status:202")]))
                try await under.reloaded()
                #expect(try await under.status(Reloadable.www) == "202")
            }
        }

        @Test func `an open stream goes on by the old rules`() async throws {
            try await Stage.run { stage in
                let peer = try await WebPeer.start(on: stage)
                let origin = "http://127.0.0.1:\(peer.http)"
                let under = try await Reloadable.start(
                    on: stage, rules: Reloadable.rules([(Reloadable.www, origin)]))
                let slow = try stage.start(
                    [
                        "curl", "--silent", "--no-buffer", "--max-time", "60", "--cacert", under.chain.ca, "--noproxy",
                        "*",
                    ]
                        + under.chain.visiting(Reloadable.www)
                        + ["https://\(Reloadable.www):\(under.chain.httpsPort)/first-then-wait"])
                try await slow.says("data: first")

                try under.replace(Reloadable.rules([]))
                try await under.reloaded()
                #expect(try await under.status(Reloadable.www) == "404")
                let go = try await stage.finish(["curl", "--silent", "--max-time", "30", "\(origin)/go-on"])
                #expect(go.status == 0)
                let output = try await slow.ended()
                #expect(output.standardOutput.contains("data: second"))
                #expect(output.status == 0)
            }
        }

        @Test func `what needs a restart is named, and the rest counts`() async throws {
            try await Stage.run { stage in
                let under = try await Reloadable.start(on: stage)
                let more = "ha-connections: 1\ntag: [\"place=here\"]\n"
                try under.replace(Reloadable.rules([(Reloadable.www, "http_status:202")], more: more))
                let line = try await under.connector.says("count only after a restart")
                #expect(line.contains("settings=ha-connections"), "\(line)")
                #expect(try await under.status(Reloadable.www) == "202")
            }
        }

        @Test func `the rules of another tunnel are not served by this one`() async throws {
            try await Stage.run { stage in
                let under = try await Reloadable.start(on: stage)
                let before = try await under.status(Reloadable.www)
                try under.replace(Reloadable.rules([(Reloadable.www, "http_status:203")], more: "tunnel: another\n"))
                try await under.connector.says("names another tunnel")
                #expect(try await under.status(Reloadable.www) == before)
            }
        }
    }
}

extension SystemTests {
    @Suite(.timeLimit(.minutes(5))) struct ConfigReportTests {
        @Test(.enabled(if: Stage.peer != nil))
        func `both connectors report the same configuration`() async throws {
            let config = """
                originRequest: {connectTimeout: 1s500ms, keepAliveConnections: 7}
                warp-routing: {connectTimeout: 2s}
                ingress:
                  - {hostname: a.demo.localhost, path: ^/x, service: "https://127.0.0.1:9", originRequest: {noTLSVerify: true}}
                  - {hostname: b.demo.localhost, service: "tcp://127.0.0.1:9"}
                  - {hostname: c.demo.localhost, service: "unix:/run/none.sock"}
                  - service: http_status:404

                """
            func report(_ program: String) async throws -> NSDictionary {
                var found = NSDictionary()
                try await Stage.run { stage in
                    let chain = try await Chain.start(on: stage)
                    let tunnel = try await chain.tunnel("report", hosts: [])
                    let file = try stage.write(config, to: "config.yml")
                    let metrics = try freePort()
                    let connector = try stage.start(
                        [program, "tunnel", "--config", file] + chain.connecting(metrics: metrics) + [
                            "--no-prechecks", "run", "--token", try await chain.token(of: tunnel),
                        ])
                    try await chain.ready(connector, metrics: metrics)
                    let answer = try await stage.finish(
                        ["curl", "--silent", "--max-time", "30", "http://127.0.0.1:\(metrics)/config"])
                    let json = try JSONSerialization.jsonObject(with: Data(answer.standardOutput.utf8))
                    found = try #require(json as? NSDictionary)
                }
                return found
            }
            let ours = try await report(Stage.executable("cloudflared"))
            let theirs = try await report(try #require(Stage.peer))
            #expect(ours == theirs)
        }
    }
}
