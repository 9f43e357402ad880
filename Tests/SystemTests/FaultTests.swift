import Foundation
import Testing

extension SystemTests {
    /// What a connector does when the network or the edge fails. Measured and printed for each make; the bounds are ours.
    @Suite(
        .enabled(if: FaultNet.obstacle == nil, "\(FaultNet.obstacle ?? "")"), .serialized, .timeLimit(.minutes(15)))
    struct FaultTests {
        /// After the path is back, a visitor is served within this.
        private static let recoveryBound = 10.0
        /// Two times five seconds, and what scheduling costs on a busy host.
        private static let noticeBound = 12.0
        /// A connector with two connections to one edge.
        private struct Scene {
            let net: FaultNet
            let make: FaultNet.Make
            var edge: Program
            let connector: Program
            let data: String
            var ca: String { data + "/ca.pem" }

            static func set(_ make: FaultNet.Make, on stage: Stage) async throws -> Scene {
                let net = try await FaultNet.up(on: stage)
                let (data, token) = try await net.prepare()
                let first = try #require(data["edge1"])
                let edge = try await net.edge("edge1", data: first)
                let connector = try await net.connector(
                    make, edges: ["edge1", "edge1"], token: token, ca: first + "/ca.pem")
                let scene = Scene(net: net, make: make, edge: edge, connector: connector, data: first)
                _ = try await scene.recovered()
                return scene
            }

            func recovered() async throws -> Double { try await net.recovery(on: "edge1", ca: ca) }

            /// How long until the connector says that a connection is lost; nil when it does not.
            func notice(
                within seconds: Double, _ fault: () async throws -> Void
            ) async throws -> Double? {
                let said = connector.output.lines.count
                let begin = ContinuousClock.now
                try await fault()
                guard (try? await connector.lost(after: said, within: seconds)) != nil else { return nil }
                return (ContinuousClock.now - begin).seconds
            }

            func print(_ fault: String, notice: Double?, recovery: Double?, load: FaultNet.Load? = nil) {
                let lost = load.map { "\($0.lost) of \($0.sent), slowest \($0.slowest) s" } ?? "-"
                Swift.print(
                    "fault | \(make.rawValue) | \(fault) | notice \(Self.text(notice)) | recover \(Self.text(recovery))"
                        + " | lost \(lost)")
            }

            private static func text(_ seconds: Double?) -> String {
                seconds.map { String(format: "%.2f s", $0) } ?? "-"
            }
        }

        @Test(arguments: FaultNet.Make.present)
        func `a silent cut is noticed, and service is back soon after the path`(make: FaultNet.Make) async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(make, on: stage)
                let notice = try await scene.notice(within: 30) { try await scene.net.set("silent") }
                // Long enough for every wait to have grown.
                let visitors = try await scene.net.load(on: "edge1", ca: scene.ca, seconds: 25)
                _ = try await scene.net.result(of: visitors, within: 60)
                try await scene.net.set()
                let recovery = try await scene.recovered()
                scene.print("silent cut of 25 s or more", notice: notice, recovery: recovery)
                guard make == .ours else { return }
                #expect(try #require(notice) <= Self.noticeBound)
                #expect(recovery <= Self.recoveryBound)
            }
        }

        @Test(arguments: FaultNet.Make.present)
        func `a short silence does no harm that outlasts it`(make: FaultNet.Make) async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(make, on: stage)
                try await scene.net.set("silent")
                let visitors = try await scene.net.load(on: "edge1", ca: scene.ca, seconds: 3)
                _ = try await scene.net.result(of: visitors, within: 30)
                try await scene.net.set()
                let recovery = try await scene.recovered()
                scene.print("silent cut of 3 to 8 s", notice: nil, recovery: recovery)
                if make == .ours { #expect(recovery <= Self.recoveryBound) }
            }
        }

        @Test(arguments: FaultNet.Make.present)
        func `a reset is noticed by the next byte`(make: FaultNet.Make) async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(make, on: stage)
                let visitors = try await scene.net.load(on: "edge1", ca: scene.ca)
                let notice = try await scene.notice(within: 30) { try await scene.net.set("reset") }
                try await scene.net.set()
                let recovery = try await scene.recovered()
                visitors.signal(SIGTERM)
                let load = try await scene.net.result(of: visitors)
                scene.print("reset under load", notice: notice, recovery: recovery, load: load)
                if make == .ours { #expect(recovery <= Self.recoveryBound) }
            }
        }

        @Test(arguments: ["loss=5", "loss=20"])
        func `packets that get lost lose no request and no connection`(loss: String) async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(.ours, on: stage)
                let before = scene.connector.registrations
                try await scene.net.set(loss)
                let visitors = try await scene.net.load(on: "edge1", ca: scene.ca, seconds: 10)
                let load = try await scene.net.result(of: visitors, within: 60)
                scene.print(loss + " %", notice: nil, recovery: nil, load: load)
                #expect(load.sent > 0)
                if loss == "loss=5" {
                    #expect(load.lost == 0, "\(load.reasons)")
                    #expect(scene.connector.registrations == before)
                }
                try await scene.net.set()
                #expect(try await scene.recovered() <= Self.recoveryBound)
            }
        }

        @Test func `a slow way loses no request and no connection`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(.ours, on: stage)
                let before = scene.connector.registrations
                let line = try await scene.net.delay(milliseconds: 150)
                let visitors = try await scene.net.load(on: "edge1", ca: scene.ca, seconds: 15)
                let load = try await scene.net.result(of: visitors, within: 60)
                await line.stop()
                scene.print("150 ms each way", notice: nil, recovery: nil, load: load)
                #expect(load.sent > 0)
                #expect(load.lost == 0, "\(load.reasons)")
                #expect(scene.connector.registrations == before)
            }
        }

        @Test(arguments: FaultNet.Make.present)
        func `an edge that is killed is found again`(make: FaultNet.Make) async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(make, on: stage)
                let notice = try await scene.notice(within: 30) { scene.edge.signal(SIGKILL) }
                _ = try await scene.edge.ended()
                _ = try await scene.net.edge("edge1", data: scene.data)
                let recovery = try await scene.recovered()
                scene.print("edge killed and started again", notice: notice, recovery: recovery)
                if make == .ours { #expect(recovery <= Self.recoveryBound) }
            }
        }

        @Test(arguments: FaultNet.Make.present)
        func `another address of the host is noticed and used`(make: FaultNet.Make) async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(make, on: stage)
                let before = scene.connector.registrations
                let begin = ContinuousClock.now
                // The official connector notices only by the kernel's retransmissions, if at all.
                let notice = try await scene.notice(within: 60) { try await scene.net.move() }
                try? await scene.connector.registered(before + 1, within: 60)
                let recovery = scene.connector.registrations > before ? (ContinuousClock.now - begin).seconds : nil
                scene.print("address change", notice: notice, recovery: recovery)
                guard make == .ours else { return }
                #expect(try #require(notice) <= Self.noticeBound)
                #expect(try #require(recovery) <= Self.noticeBound + Self.recoveryBound)
                _ = try await scene.recovered()
            }
        }

        @Test(arguments: FaultNet.Make.present)
        func `a way that leads nowhere is noticed though the address stays`(make: FaultNet.Make) async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(make, on: stage)
                let before = scene.connector.registrations
                let notice = try await scene.notice(within: 30) { try await scene.net.reroute("astray") }
                let begin = ContinuousClock.now
                try await scene.net.reroute("back")
                try? await scene.connector.registered(before + 1, within: 30)
                let recovery = scene.connector.registrations > before ? (ContinuousClock.now - begin).seconds : nil
                scene.print("another router, which is not there", notice: notice, recovery: recovery)
                guard make == .ours else { return }
                #expect(try #require(notice) <= Self.noticeBound)
                #expect(try #require(recovery) <= Self.recoveryBound)
                _ = try await scene.recovered()
            }
        }

        @Test(arguments: FaultNet.Make.present)
        func `a host that slept is back soon after it woke`(make: FaultNet.Make) async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(make, on: stage)
                // Asleep for longer than the edge waits for an answer, and its way is forgotten meanwhile.
                scene.connector.signal(SIGSTOP)
                let visitors = try await scene.net.load(on: "edge1", ca: scene.ca, seconds: 20)
                _ = try await scene.net.result(of: visitors, within: 60)
                try await scene.net.set("silent")
                let notice = try await scene.notice(within: 30) { scene.connector.signal(SIGCONT) }
                try await scene.net.set()
                let recovery = try await scene.recovered()
                scene.print("asleep for 20 s or more, then without a way", notice: notice, recovery: recovery)
                guard make == .ours else { return }
                #expect(try #require(notice) <= Self.noticeBound)
                #expect(recovery <= Self.recoveryBound)
            }
        }

        @Test(arguments: ["reset-port", "silent-port"])
        func `a link that is lost under load loses no request while another one lives`(fault: String) async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(.ours, on: stage)
                var (sent, lost, slowest) = (0, 0, 0.0)
                for turn in 0..<3 {
                    let ports = try await scene.net.linkPorts()
                    #expect(ports.count == 2)
                    let port = ports[turn % ports.count]
                    let before = scene.connector.registrations
                    let visitors = try await scene.net.load(on: "edge1", ca: scene.ca)
                    let notice = try await scene.notice(within: 30) {
                        try await scene.net.set("\(fault)=\(port)")
                    }
                    try await scene.connector.registered(before + 1)
                    visitors.signal(SIGTERM)
                    let load = try await scene.net.result(of: visitors)
                    try await scene.net.set()
                    #expect(load.sent > 0)
                    #expect(load.lost == 0, "turn \(turn): \(load.reasons)")
                    #expect(try #require(notice) <= Self.noticeBound)
                    (sent, lost, slowest) = (sent + load.sent, lost + load.lost, max(slowest, load.slowest))
                }
                print(
                    "fault | ours | one of two links lost under load, \(fault) | lost \(lost) of \(sent), slowest "
                        + "\(slowest) s")
            }
        }

        @Test(arguments: ["silent=edge2", "reset=edge2"])
        func `visitors of one edge lose nothing when the other is gone`(fault: String) async throws {
            try await Stage.run { stage in
                let scene = try await Pair.set(on: stage)
                let visitors = try await scene.net.load(on: "edge1", ca: scene.ca)
                let said = scene.connector.output.lines.count
                try await scene.net.set(fault)
                try await scene.connector.lost(after: said, within: 30)
                let before = scene.connector.registrations
                try await scene.net.set()
                try await scene.connector.registered(before + 1)
                _ = try await scene.net.recovery(on: "edge2", ca: scene.ca)
                visitors.signal(SIGTERM)
                let load = try await scene.net.result(of: visitors)
                print("fault | ours | one of two edges gone, \(fault) | lost \(load.lost) of \(load.sent)")
                #expect(load.sent > 0)
                #expect(load.lost == 0, "\(load.reasons)")
            }
        }

        @Test func `rolling restarts of two edges lose no request of visitors who ask the one that stays`() async throws
        {
            try await Stage.run { stage in
                var scene = try await Pair.set(on: stage)
                var sent = 0
                var lost = 0
                var slowest = 0.0
                let descriptors = try scene.connector.descriptors
                for turn in 0..<Soak.restarts {
                    let (leaving, staying) = turn.isMultiple(of: 2) ? ("edge1", "edge2") : ("edge2", "edge1")
                    let visitors = try await scene.net.load(on: staying, ca: scene.ca)
                    let begin = ContinuousClock.now
                    let before = scene.connector.registrations
                    try await scene.restart(leaving, gracefully: turn % 4 < 2)
                    try await scene.connector.registered(before + 1)
                    slowest = max(slowest, (ContinuousClock.now - begin).seconds)
                    _ = try await scene.net.recovery(on: leaving, ca: scene.ca)
                    visitors.signal(SIGTERM)
                    let load = try await scene.net.result(of: visitors)
                    sent += load.sent
                    lost += load.lost
                    #expect(load.lost == 0, "turn \(turn): \(load.reasons)")
                }
                let left = try scene.connector.descriptors
                // A link that is just being closed may still hold its own.
                #expect(left <= descriptors + 4, "\(descriptors) descriptors before, \(left) after")
                print(
                    "fault | ours | \(Soak.restarts) rolling restarts of two edges | slowest back "
                        + "\(String(format: "%.2f s", slowest)) | lost \(lost) of \(sent)"
                        + " | descriptors \(descriptors) then \(left), resident \(try scene.connector.residentKilobytes) kB"
                )
                #expect(sent > 0)
            }
        }

        /// A connector with one connection to each of two edges.
        private struct Pair {
            let net: FaultNet
            let data: [String: String]
            var edges: [String: Program]
            let connector: Program
            let ca: String

            static func set(on stage: Stage) async throws -> Pair {
                let net = try await FaultNet.up(on: stage)
                let (data, token) = try await net.prepare()
                let ca = try #require(data["edge1"]) + "/ca.pem"
                var edges: [String: Program] = [:]
                for (host, directory) in data { edges[host] = try await net.edge(host, data: directory) }
                let connector = try await net.connector(.ours, edges: data.keys.sorted(), token: token, ca: ca)
                for host in data.keys { _ = try await net.recovery(on: host, ca: ca) }
                return Pair(net: net, data: data, edges: edges, connector: connector, ca: ca)
            }

            mutating func restart(_ host: String, gracefully: Bool) async throws {
                let edge = try #require(edges[host])
                edge.signal(gracefully ? SIGTERM : SIGKILL)
                _ = try await edge.ended()
                edges[host] = try await net.edge(host, data: try #require(data[host]))
            }
        }
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
