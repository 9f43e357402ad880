import Foundation
import Testing

/// A running edge with its data directory, and the commands that put connectors and clients around it.
///
/// Names lie under `.localhost`, which clients take for loopback (RFC 6761), so no test needs DNS.
struct Chain {
    static let zone = "demo.localhost"

    struct Listening: Decodable {
        let tunnel: String
        let https: String
    }

    struct Tunnel: Decodable {
        let id: String
        let token: String?
    }

    let stage: Stage
    let data: String
    let edge: Program
    let tunnelAddress: String
    let httpsAddress: String

    var ca: String { data + "/ca.pem" }
    var accountCertificate: String { data + "/cert.pem" }
    var httpsPort: String { httpsAddress.split(separator: ":").last.map(String.init) ?? "" }
    var apiURL: String { "https://api.\(Self.zone):\(httpsPort)/client/v4" }
    /// What a client needs to trust this edge.
    var trust: [String: String] { ["SSL_CERT_FILE": ca] }

    static func host(_ name: String) -> String { "\(name).\(zone)" }

    /// Makes a data directory and runs an edge on free ports.
    static func start(on stage: Stage, environment: [String: String] = [:]) async throws -> Chain {
        let data = stage.scratch.appendingPathComponent("edge").path
        let made = try await stage.finish([
            Stage.executable("cloudflared-edge"), "init", "--data-dir", data, "--zone", zone,
        ])
        try #require(made.status == 0, "\(made.lastWords)")
        return try await run(on: stage, data: data, environment: environment)
    }

    static func run(on stage: Stage, data: String, environment: [String: String] = [:]) async throws -> Chain {
        let edge = try stage.start(
            [
                Stage.executable("cloudflared-edge"), "run", "--data-dir", data,
                "--tunnel-listen", "127.0.0.1:0", "--https-listen", "127.0.0.1:0",
            ], environment: environment)
        do {
            try await stage.await("file", data + "/listening.json")
        } catch {
            throw NotSeen(description: "the edge does not listen\n\(edge.output.lastWords)")
        }
        let file = try Data(contentsOf: URL(fileURLWithPath: data + "/listening.json"))
        let listening = try JSONDecoder().decode(Listening.self, from: file)
        return Chain(
            stage: stage, data: data, edge: edge, tunnelAddress: listening.tunnel, httpsAddress: listening.https)
    }

    // MARK: The edge's own commands

    /// Runs `cloudflared-edge … --data-dir D --output json`.
    @discardableResult
    func admin(_ arguments: String...) async throws -> Output {
        let output = try await stage.finish(
            [Stage.executable("cloudflared-edge")] + arguments + ["--data-dir", data, "--output", "json"])
        try #require(output.status == 0, "\(arguments): \(output.lastWords)")
        return output
    }

    func admin<Answer: Decodable>(_ arguments: String..., as answer: Answer.Type) async throws -> Answer {
        let output = try await stage.finish(
            [Stage.executable("cloudflared-edge")] + arguments + ["--data-dir", data, "--output", "json"])
        try #require(output.status == 0, "\(arguments): \(output.lastWords)")
        return try JSONDecoder().decode(Answer.self, from: Data(output.standardOutput.utf8))
    }

    /// Creates a tunnel that serves these hosts, each open to everybody unless `open` is false.
    func tunnel(_ name: String, hosts: [String], open: Bool = true) async throws -> Tunnel {
        let tunnel = try await admin("tunnel", "create", name, as: Tunnel.self)
        for host in hosts {
            try await admin("route", "add", host, name)
            if open { try await admin("access", "app", "add", host, "--open") }
        }
        return tunnel
    }

    /// The run token, as `tunnel token` of the client gets it from the account API.
    func token(of tunnel: Tunnel) async throws -> String {
        if let token = tunnel.token { return token }
        let output = try await stage.finish(
            [Stage.executable("cloudflared"), "tunnel"] + account + ["token", tunnel.id], environment: trust)
        try #require(output.status == 0, "\(output.lastWords)")
        return output.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The flags with which a client uses this edge's account API.
    var account: [String] { ["--origincert", accountCertificate, "--api-url", apiURL] }
    /// The same by address, for clients that ask DNS for names under `.localhost`.
    var accountByAddress: [String] {
        ["--origincert", accountCertificate, "--api-url", "https://\(httpsAddress)/client/v4"]
    }

    // MARK: Connectors

    /// The flags with which a connector of either make uses this edge.
    func connecting(metrics: Int) -> [String] {
        [
            "--edge", tunnelAddress, "--edge", tunnelAddress, "--cacert", ca, "--protocol", "http2", "--no-autoupdate",
            "--metrics", "127.0.0.1:\(metrics)", "--grace-period", "5s",
        ]
    }

    /// Runs a connector for `tunnel` with these ingress rules, host name to service, and waits until it is ready.
    @discardableResult
    func connector(
        _ tunnel: Tunnel, ingress: [String: String], program: String = Stage.executable("cloudflared")
    ) async throws -> Program {
        let rules = ingress.sorted { $0.key < $1.key }.map { "  - hostname: \($0)\n    service: \($1)" }
        return try await connector(tunnel, rules: rules, program: program)
    }

    /// The same with rules as they are written in a file, each from its `- hostname:` on.
    @discardableResult
    func connector(
        _ tunnel: Tunnel, rules: [String], program: String = Stage.executable("cloudflared")
    ) async throws -> Program {
        let lines = ["ingress:"] + rules + ["  - service: http_status:404", ""]
        let config = try stage.write(lines.joined(separator: "\n"), to: "config-\(tunnel.id).yml")
        let metrics = try freePort()
        let connector = try stage.start(
            [program, "tunnel", "--config", config] + connecting(metrics: metrics) + [
                "--no-prechecks", "run", "--token", try await token(of: tunnel),
            ])
        try await ready(connector, metrics: metrics)
        return connector
    }

    /// Runs the classic form, which finds or makes the tunnel and its route by the account API.
    @discardableResult
    func classicConnector(_ arguments: String...) async throws -> Program {
        let metrics = try freePort()
        let connector = try stage.start(
            [Stage.executable("cloudflared"), "tunnel"] + connecting(metrics: metrics) + account + arguments,
            environment: trust)
        try await ready(connector, metrics: metrics)
        return connector
    }

    func ready(_ connector: Program, metrics: Int) async throws {
        do {
            try await stage.await("ready", "http://127.0.0.1:\(metrics)/ready")
        } catch {
            throw NotSeen(description: "the connector is not ready\n\(connector.output.lastWords)")
        }
    }

    // MARK: Clients

    /// Runs `access tcp` (or rdp, ssh, smb) as a listener and waits until it listens.
    func forward(
        _ kind: String = "tcp", to host: String, _ more: String..., program: String = Stage.executable("cloudflared")
    ) async throws -> (program: Program, port: Int) {
        let port = try freePort()
        let client = try stage.start(
            [program, "access", kind, "--hostname", "\(host):\(httpsPort)", "--url", "127.0.0.1:\(port)"] + more,
            environment: trust)
        do {
            try await stage.await("listening", "\(port)")
        } catch {
            throw NotSeen(description: "access \(kind) does not listen\n\(client.output.lastWords)")
        }
        return (client, port)
    }

    /// A visitor: curl, asking for `path` on `host`. Prints the body, then a line `VERSION STATUS`.
    func curl(_ host: String, _ path: String, _ more: String...) async throws -> (body: String, answer: String) {
        let output = try await stage.finish(
            ["curl", "--silent", "--show-error", "--max-time", "60", "--cacert", ca, "--noproxy", "*"] + visiting(host)
                + ["--write-out", "\n%{http_version} %{http_code}", "https://\(host):\(httpsPort)\(path)"] + more)
        let lines = output.standardOutput.split(separator: "\n", omittingEmptySubsequences: false)
        try #require(output.status == 0, "\(output.lastWords)")
        return (lines.dropLast().joined(separator: "\n"), String(lines.last ?? ""))
    }

    func visiting(_ host: String) -> [String] { ["--resolve", "\(host):\(httpsPort):127.0.0.1"] }
}
