import Foundation
import Glibc
import Testing

/// What a connector tells its service manager, line by line.
private struct Manager {
    private struct Facts: Decodable { let path: String }

    let program: Program
    let path: String

    static func start(on stage: Stage) async throws -> Manager {
        let path = stage.scratch.appendingPathComponent("notify").path
        let (program, facts) = try await stage.fixture("notify-socket", path, as: Facts.self)
        return Manager(program: program, path: facts.path)
    }

    var heard: [String] { program.output.lines.filter { $0.stream == .standardOutput }.map(\.text) }

    /// Waits until `count` messages hold `text`; returns the last of them.
    @discardableResult
    func hears(_ text: String, times count: Int = 1, within seconds: Double = 30) async throws -> String {
        try await program.seen("hears “\(text)” \(count) times", within: seconds) { output in
            let found = output.lines.filter { $0.text.contains(text) }
            return found.count >= count ? found.last?.text : nil
        }
    }
}

extension SystemTests {
    @Suite(.timeLimit(.minutes(5))) struct NotifyTests {
        @Test func `systemd hears of the start, a reload, a refused one and the end`() async throws {
            try await Stage.run { stage in
                let manager = try await Manager.start(on: stage)
                let under = try await Reloadable.start(on: stage, environment: ["NOTIFY_SOCKET": manager.path])
                try await manager.hears("STATUS=Connecting to the edge")
                try await manager.hears("EXTEND_TIMEOUT_USEC=60000000")
                try await manager.hears("READY=1 | STATUS=1 of 2 links: ")
                try await manager.hears("STATUS=2 of 2 links: ")

                try under.replace(Reloadable.rules([(Reloadable.www, "http_status:202")]))
                try await manager.hears("RELOADING=1 | MONOTONIC_USEC=")
                try await manager.hears("READY=1", times: 2)
                try under.replace("ingress: nonsense\n")
                try await manager.hears("READY=1", times: 3)
                let refused = try await manager.hears("the old configuration serves: ")
                #expect(refused.contains("config.yml:1: ingress: "), "\(refused)")

                under.connector.signal(SIGTERM)
                try await manager.hears("STOPPING=1 | EXTEND_TIMEOUT_USEC=15000000")
                #expect(try await under.connector.ended().status == 0)
                // Everything once and in its order.
                let states = manager.heard.compactMap { $0.split(separator: " ").first }
                    .filter { ["READY=1", "RELOADING=1", "STOPPING=1"].contains($0) }
                #expect(states == ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"])
            }
        }

        @Test func `the watchdog is fed while the process runs, and not while it is stopped`() async throws {
            try await Stage.run { stage in
                let manager = try await Manager.start(on: stage)
                let under = try await Reloadable.start(
                    on: stage, environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "1000000"])
                try await manager.hears("WATCHDOG=1", times: 2)
                under.connector.signal(SIGSTOP)
                let count = manager.heard.filter { $0 == "WATCHDOG=1" }.count
                // One may have been on its way; systemd would act after the second that stays away.
                await #expect(throws: NotSeen.self) {
                    try await manager.hears("WATCHDOG=1", times: count + 2, within: 2)
                }
                under.connector.signal(SIGCONT)
                try await manager.hears("WATCHDOG=1", times: count + 2)
            }
        }

        @Test func `systemd hears of an edge's start, its connectors, a reload, its health and its end`() async throws {
            try await Stage.run { stage in
                let manager = try await Manager.start(on: stage)
                let environment = ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "1000000"]
                let chain = try await Chain.start(on: stage, environment: environment)
                try await manager.hears("STATUS=Starting")
                let ready = try await manager.hears("READY=1 | STATUS=0 links of 0 tunnels; visitors on ")
                #expect(ready.contains("connectors on \(chain.tunnelAddress)"), "\(ready)")
                let tunnel = try await chain.tunnel("web", hosts: [Chain.host("www")])
                let connector = try await chain.connector(tunnel, ingress: [Chain.host("www"): "http_status:200"])
                try await manager.hears("STATUS=2 links of 1 tunnel; ")
                await connector.stop()
                try await manager.hears("STATUS=0 links of 0 tunnels; ", times: 2)

                chain.edge.signal(SIGHUP)
                try await manager.hears("RELOADING=1 | MONOTONIC_USEC=")
                try await manager.hears("READY=1", times: 2)
                try await manager.hears("WATCHDOG=1", times: 2)
                chain.edge.signal(SIGSTOP)
                let count = manager.heard.filter { $0 == "WATCHDOG=1" }.count
                await #expect(throws: NotSeen.self) {
                    try await manager.hears("WATCHDOG=1", times: count + 2, within: 2)
                }
                chain.edge.signal(SIGCONT)
                try await manager.hears("WATCHDOG=1", times: count + 2)
                chain.edge.signal(SIGTERM)
                try await manager.hears("STOPPING=1 | EXTEND_TIMEOUT_USEC=40000000")
                #expect(try await chain.edge.ended().status == 0)
            }
        }

        @Test func `by policy the service is ready without an edge, and asks for time without one`() async throws {
            try await Stage.run { stage in
                let manager = try await Manager.start(on: stage)
                let credentials = try stage.write(
                    #"{"AccountTag":"a","TunnelSecret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","#
                        + #""TunnelID":"a3b1c5d2-0f1e-4a2b-8c3d-112233445566"}"#, to: "credentials.json")
                func connector(_ policy: String) throws -> Program {
                    try stage.start(
                        [
                            Stage.executable("cloudflared"), "tunnel", "--edge", "127.0.0.1:\(try freePort())",
                            "--metrics", "off", "--ready-policy", policy, "--hello-world", "run",
                            "--credentials-file", credentials, "a3b1c5d2-0f1e-4a2b-8c3d-112233445566",
                        ], environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "1000000"])
                }
                let patient = try connector("quorum")
                try await manager.hears("STATUS=No connection to the edge: ")
                try await manager.hears("EXTEND_TIMEOUT_USEC=60000000", times: 3)
                #expect(!manager.heard.contains { $0.contains("READY=1") })
                await patient.stop()
                _ = try connector("process")
                try await manager.hears("READY=1 | STATUS=Connecting to the edge")
            }
        }
    }
}
