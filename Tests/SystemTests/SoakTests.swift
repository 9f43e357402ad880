import Foundation
import Testing

extension SystemTests {
    /// Long runs after which the programs hold no more than they did before. Only when `CLOUDFLARED_SOAK` asks for them.
    @Suite(
        .enabled(if: Soak.isWanted, "CLOUDFLARED_SOAK is not set"),
        .enabled(if: FaultNet.obstacle == nil, "\(FaultNet.obstacle ?? "")"), .serialized, .timeLimit(.minutes(240)))
    struct SoakTests {
        /// What a program holds at one moment.
        private struct Holding {
            let descriptors: Int
            let kilobytes: Int

            init(of program: Program) throws {
                (descriptors, kilobytes) = (try program.descriptors, try program.residentKilobytes)
            }
        }

        /// Prints both, and expects the second to be no more but for what allocators and closing sockets make of it.
        private func compare(_ name: String, _ before: Holding, _ after: Holding, over what: String) {
            print(
                "soak | \(name) | \(what) | descriptors \(before.descriptors) then \(after.descriptors)"
                    + " | resident \(before.kilobytes) then \(after.kilobytes) kB")
            #expect(after.descriptors <= before.descriptors + 4, "\(name)")
            #expect(after.kilobytes <= before.kilobytes + max(8192, before.kilobytes / 5), "\(name)")
        }

        @Test func `memory and descriptors are flat over reconnects`() async throws {
            try await Stage.run { stage in
                let links = 16
                let net = try await FaultNet.up(on: stage)
                let (data, token) = try await net.prepare()
                let directory = try #require(data["edge1"])
                let ca = directory + "/ca.pem"
                let edge = try await net.edge("edge1", data: directory)
                let connector = try await net.connector(
                    .ours, edges: Array(repeating: "edge1", count: links), token: token, ca: ca,
                    "--ha-connections", "\(links)")

                func cut() async throws {
                    let before = connector.registrations
                    let cut = try await stage.finish(net.inside("conn") + ["ss", "-K", "-t", "dport", "=", ":7844"])
                    try #require(cut.status == 0, "\(cut.lastWords)")
                    try await connector.registered(before + links, within: 120)
                    _ = try await net.recovery(on: "edge1", ca: ca)
                }

                while connector.registrations < Soak.reconnects / 10 { try await cut() }
                let before = (connector: try Holding(of: connector), edge: try Holding(of: edge))
                let first = connector.registrations
                while connector.registrations < first + Soak.reconnects { try await cut() }
                let what = "\(connector.registrations - first) reconnects"
                compare("connector", before.connector, try Holding(of: connector), over: what)
                compare("edge", before.edge, try Holding(of: edge), over: what)
            }
        }

        @Test func `memory and descriptors are flat over long traffic`() async throws {
            try await Stage.run { stage in
                let megabytes = 100
                let peer = try await TCPPeer.start(on: stage)
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("tcp")
                let tunnel = try await chain.tunnel("peer", hosts: [host])
                let connector = try await chain.connector(tunnel, ingress: [host: "tcp://127.0.0.1:\(peer.port)"])
                let client = try await chain.forward("tcp", to: host)
                let programs = [("connector", connector), ("edge", chain.edge), ("client", client.program)]
                var before: [String: Holding] = [:]
                for minute in 1...Soak.minutes {
                    let result = try await peer.check("steady", megabytes, at: client.port, on: stage)
                    try #require(result.status == 0, "minute \(minute): \(result.lastWords)")
                    for (name, program) in programs {
                        let now = try Holding(of: program)
                        print(
                            "soak | \(name) | minute \(minute) | \(now.descriptors) descriptors | \(now.kilobytes) kB")
                        if minute == max(1, Soak.minutes / 10) { before[name] = now }
                    }
                }
                for (name, program) in programs {
                    compare(
                        name, try #require(before[name]), try Holding(of: program),
                        over: "\(Soak.minutes) minutes of \(megabytes) MB")
                }
            }
        }
    }
}

/// How long the long runs are: `CLOUDFLARED_SOAK=N` asks for N rolling restarts, ten times as many reconnects and N minutes
/// of traffic, but at least 100, 1,000 and 60.
enum Soak {
    private static let wish = ProcessInfo.processInfo.environment["CLOUDFLARED_SOAK"].map { Int($0) ?? 0 }

    static var isWanted: Bool { wish != nil }
    /// A few when no long run is wanted.
    static var restarts: Int { wish.map { max(100, $0) } ?? 4 }
    static var reconnects: Int { 10 * restarts }
    static var minutes: Int { max(60, wish ?? 0) }
}
