import Access
import AccessPolicy
import EdgeStore
import EdgeTransport
import Foundation
import Testing
import TunnelConfig

@testable import Edge

/// What the gate has on record, and what it must not have.
@Suite(.timeLimit(.minutes(2)))
struct GateRecordTests {
    private let access = AccessDouble()
    private static let host = "closed.site.test"

    /// The lines of the audit log after `body`.
    private func recorded(
        _ application: AccessApplication, limits: EdgeLimits = EdgeLimits(),
        serve: @escaping @Sendable (LinkStream) -> Void = Serve.description, _ body: (EdgeHarness) async throws -> Void
    ) async throws -> [String] {
        let path = FileManager.default.temporaryDirectory.appending(path: "audit-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let audit = AuditLog(path: path)
        let policies = PolicyCache(source: PolicyDouble(try Cast.snapshot(application)), logger: EdgeHarness.quiet)
        try await EdgeHarness.with(limits: limits, access: access, audit: audit, policies: policies) { edge in
            let connector = try await edge.connector(serve: serve)
            try await body(edge)
            try await connector.close()
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await audit.run() }
            group.cancelAll()
        }
        return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    @Test
    func `Of a stranger's refusals so many are kept, cut short, and no secret that was pasted for an id`() async throws
    {
        let application = try Cast.application(.bastion, [Cast.policy(.nonIdentity, .anyValidServiceToken)])
        var limits = EdgeLimits()
        limits.refusalsKept = 2
        let shown = [
            "-H", "Cf-Access-Client-Id: \(EdgeHarness.serviceSecret)", "-H", "Cf-Access-Client-Secret: x",
            "-H", "Cf-Access-Jump-Destination: \(String(repeating: "d", count: 4000))",
        ]
        let lines = try await recorded(application, limits: limits) { edge in
            for _ in 0..<4 {
                let answer = try await edge.curl(Self.host, "/", shown)
                #expect(answer.status == 403)
            }
        }
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.contains("unknown:") && $0.utf8.count < 1500 })
        #expect(!lines.contains { $0.contains(EdgeHarness.serviceSecret) })
    }

    @Test
    func `A WebSocket that was let in and never opened has its end on record`() async throws {
        access.issue("good", Cast.claims())
        var application = try Cast.application(.bastion)
        application.destinations = [DestinationGrant(destinations: try DestinationAllowList(["10.1.2.3:22"]))]
        let lines = try await recorded(application, serve: { $0.refuse() }) { edge in
            let visitor = try await edge.visitor(Self.host)
            let shown = "Cf-Access-Token: good\r\nCf-Access-Jump-Destination: 10.1.2.3:22\r\n"
            try await visitor.send(WebSocketTests.request(Self.host, shown))
            #expect(try await visitor.received("\r\n\r\n").hasPrefix("HTTP/1.1 502"))
            try await visitor.close()
        }
        let ends = lines.filter { $0.contains("\"end\"") }
        #expect(ends.count == 1)
        #expect(ends.allSatisfy { $0.contains("failed") && $0.contains("10.1.2.3:22") && $0.contains("alice") })
    }

    @Test
    func `Strangers share the last place when too many have one, and each window starts anew`() throws {
        let throttle = RefusalThrottle(limit: 2, mostSources: 2)
        let addresses = ["192.0.2.1", "2001:db8::1", "2001:db8::2", "192.0.2.3", "192.0.2.4"].compactMap(IPAddress.init)
        func verdict(_ number: Int) -> RefusalThrottle.Verdict { throttle.refused(addresses[number]).verdict }
        #expect(addresses.count == 5)
        #expect([verdict(0), verdict(0), verdict(0), verdict(0)] == [.first, .keep, .leaveOut, .leaveOut])
        #expect([verdict(1), verdict(2), verdict(1)] == [.first, .keep, .leaveOut])
        #expect([verdict(3), verdict(4), verdict(3)] == [.first, .keep, .leaveOut])
        #expect(throttle.ended(nil) == 1)
        #expect(throttle.ended(addresses[0].network) == 2)
        #expect(verdict(0) == .first)
    }
}
