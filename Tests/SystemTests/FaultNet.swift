import Foundation
import Testing

/// Hosts behind a router that can be made to fail: a connector's, and two edges'. All in network namespaces of this test.
struct FaultNet {
    private struct Facts: Decodable {
        let conn: String
        let edge1: String
        let edge2: String
    }

    /// Which connector is tried.
    enum Make: String, CaseIterable, CustomTestStringConvertible, Sendable {
        case ours, official

        var program: String { self == .ours ? Stage.executable("cloudflared") : Stage.peer ?? "" }
        var testDescription: String { rawValue }
        /// The official one only when it is there to be measured.
        static var present: [Make] { Stage.peer == nil ? [.ours] : allCases }
    }

    static let host = Chain.host("www")
    /// Why nothing can be tried here; nil when it can.
    static let obstacle: String? = {
        guard geteuid() == 0 else { return "network namespaces need root" }
        let fixture = Stage.fixtures.appendingPathComponent("fault-net").path
        let environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1"]
        guard
            let nowhere = FileHandle(forUpdatingAtPath: "/dev/null"),
            let check = try? spawn(
                [fixture, "check"], environment: environment,
                streams: Array(repeating: nowhere.fileDescriptor, count: 3))
        else { return "the fixture fault-net does not start" }
        var status: Int32 = 0
        waitpid(check, &status, 0)
        return status == 0 ? nil : "network namespaces or packet rules cannot be made here"
    }()

    let stage: Stage
    let name: String
    private let addresses: [String: String]

    /// - Parameter options: `v6`, `names`; see the fixture.
    static func up(on stage: Stage, with options: [String] = []) async throws -> FaultNet {
        let name = "cf\(UUID().uuidString.prefix(6).lowercased())"
        let facts = try await stage.fixture(["fault-net", "up", name] + options, as: Facts.self).facts
        return FaultNet(
            stage: stage, name: name,
            addresses: ["conn": facts.conn, "edge1": facts.edge1, "edge2": facts.edge2])
    }

    func inside(_ host: String) -> [String] { ["ip", "netns", "exec", "\(name)-\(host)"] }

    /// The faults from now on; none heals.
    func set(_ faults: String...) async throws {
        let output = try await stage.finish(
            [Stage.fixtures.appendingPathComponent("fault-net").path, "set", name] + faults, environment: quiet)
        try #require(output.status == 0, "\(output.lastWords)")
    }

    /// The connector's ports of its connections to edges.
    func linkPorts() async throws -> [Int] {
        let output = try await stage.finish(
            inside("conn") + ["ss", "--no-header", "--tcp", "--numeric", "state", "established", "( dport = :7844 )"])
        try #require(output.status == 0, "\(output.lastWords)")
        return output.standardOutput.split(separator: "\n").compactMap { line in
            let fields = line.split(whereSeparator: \.isWhitespace)
            return fields.dropFirst(2).first?.split(separator: ":").last.flatMap { Int($0) }
        }
    }

    func move() async throws {
        let output = try await stage.call("fault-net", "move", name)
        try #require(output.status == 0, "\(output.lastWords)")
    }

    /// Another router, which is not there, or the right one again; the host's address stays.
    func reroute(_ way: String) async throws {
        let output = try await stage.call("fault-net", "reroute", name, way)
        try #require(output.status == 0, "\(output.lastWords)")
    }

    /// Holds packets back until the program is stopped.
    func delay(milliseconds: Int) async throws -> Program {
        try await stage.fixture("fault-net", "delay", name, "\(milliseconds)", as: [String: String].self).program
    }

    /// Runs the name server that conn asks.
    func names(with options: String...) async throws -> Program {
        try await stage.fixture(["fault-net", "names", name] + options, as: [String: String].self).program
    }

    private var quiet: [String: String] { ["PYTHONDONTWRITEBYTECODE": "1"] }

    // MARK: Edges

    func tunnelAddress(_ host: String) -> String { "\(addresses[host] ?? ""):7844" }

    /// A data directory with one tunnel for the host, and the same again for a second edge.
    func prepare() async throws -> (data: [String: String], token: String) {
        let data = stage.scratch.appendingPathComponent("edge1").path
        let made = try await stage.finish([
            Stage.executable("cloudflared-edge"), "init", "--data-dir", data, "--zone", Chain.zone,
        ])
        try #require(made.status == 0, "\(made.lastWords)")
        let edge = try await edge("edge1", data: data)
        let chain = Chain(stage: stage, data: data, edge: edge, tunnelAddress: "", httpsAddress: "")
        let tunnel = try await chain.tunnel("faults", hosts: [Self.host])
        let token = try #require(tunnel.token)
        await edge.stop()
        let copy = stage.scratch.appendingPathComponent("edge2").path
        try FileManager.default.copyItem(atPath: data, toPath: copy)
        return (["edge1": data, "edge2": copy], token)
    }

    /// Runs an edge on its host, on the same ports each time.
    /// - Parameter listen: where connectors find it; its IPv4 address if nil.
    func edge(_ host: String, data: String, listen: String? = nil) async throws -> Program {
        try? FileManager.default.removeItem(atPath: data + "/listening.json")
        let edge = try stage.start(
            inside(host) + [
                Stage.executable("cloudflared-edge"), "run", "--data-dir", data,
                "--tunnel-listen", listen ?? tunnelAddress(host), "--https-listen", "127.0.0.1:8443",
            ])
        do {
            try await stage.await("file", data + "/listening.json")
        } catch {
            throw NotSeen(description: "the edge on \(host) does not listen\n\(edge.output.lastWords)")
        }
        return edge
    }

    // MARK: Connectors and visitors

    /// Runs a connector with one connection to each of these edges, and waits until all are registered.
    ///
    /// - Parameter more: further flags of `tunnel`.
    func connector(
        _ make: Make, edges: [String], token: String, ca: String, _ more: String...
    ) async throws -> Program {
        let connector = try connector(
            make, flags: edges.flatMap { ["--edge", tunnelAddress($0)] } + more, token: token, ca: ca)
        try await connector.registered(edges.count)
        return connector
    }

    /// Runs a connector that gets its edges by these flags.
    func connector(_ make: Make = .ours, flags: [String], token: String, ca: String) throws -> Program {
        let config = try stage.write(
            "ingress:\n  - hostname: \(Self.host)\n    service: http_status:200\n  - service: http_status:404\n",
            to: "config-\(make.rawValue).yml")
        return try stage.start(
            inside("conn") + [make.program, "tunnel", "--config", config] + flags + [
                "--cacert", ca, "--protocol", "http2", "--no-autoupdate", "--metrics", "127.0.0.1:20300",
                "--grace-period", "5s", "--no-prechecks", "run", "--token", token,
            ])
    }

    /// Asks on an edge's own host until a request is answered.
    /// - Returns: how long that took, in seconds.
    func recovery(on host: String, ca: String, within seconds: Int = 120) async throws -> Double {
        struct Found: Decodable { let after: Double }
        let output = try await stage.finish(
            visits(on: host, ca: ca, "until", seconds), environment: quiet, within: Double(seconds + 10))
        try #require(output.status == 0, "\(output.lastWords)")
        return try JSONDecoder().decode(Found.self, from: Data(output.standardOutput.utf8)).after
    }

    struct Load: Decodable, Sendable {
        let sent: Int
        let lost: Int
        let reasons: [String: Int]
        let slowest: Double
    }

    /// Visitors that ask all the time, on an edge's own host.
    /// - Parameter seconds: how long; 0 until `result` is asked for.
    func load(on host: String, ca: String, seconds: Int = 0) async throws -> Program {
        let visitors = try stage.start(visits(on: host, ca: ca, "load", seconds), environment: quiet)
        try await visitors.says("visiting")
        return visitors
    }

    func result(of visitors: Program, within seconds: Double = 20) async throws -> Load {
        let output = try await visitors.ended(within: seconds)
        let line = output.lines.last { $0.stream == .standardOutput }?.text ?? ""
        return try JSONDecoder().decode(Load.self, from: Data(line.utf8))
    }

    private func visits(on host: String, ca: String, _ kind: String, _ seconds: Int) -> [String] {
        inside(host) + [
            Stage.fixtures.appendingPathComponent("visits").path, kind, "\(seconds)", "127.0.0.1:8443", Self.host, ca,
        ]
    }
}

extension Program {
    private func count(of text: String, in output: Output) -> Int {
        output.lines.filter { $0.text.contains(text) }.count
    }

    /// Files and sockets the program has open.
    var descriptors: Int {
        get throws { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(processIdentifier)/fd").count }
    }

    /// Memory the program has in use.
    var residentKilobytes: Int {
        get throws {
            let status = try String(contentsOfFile: "/proc/\(processIdentifier)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
            return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
        }
    }

    /// Registrations so far.
    var registrations: Int { count(of: "Registered tunnel connection", in: output) }

    /// Waits until connections were registered this often.
    func registered(_ times: Int, within seconds: Double = 60) async throws {
        try await seen("registers \(times) times", within: seconds) { output in
            output.lines.filter { $0.text.contains("Registered tunnel connection") }.count >= times ? true : nil
        }
    }

    /// Waits for a connection lost, after the first `lines` lines, as either make says it.
    func lost(after lines: Int, within seconds: Double) async throws {
        try await seen("notices the loss", within: seconds) { output in
            output.lines.dropFirst(lines).contains { line in
                ["Connection terminated", "Lost connection with the edge", "Retrying connection"].contains {
                    line.text.contains($0)
                }
            } ? true : nil
        }
    }
}
