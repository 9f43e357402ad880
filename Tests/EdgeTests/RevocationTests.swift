import Access
import AccessPolicy
import ByteStream
import Edge
import EdgeStore
import EdgeTransport
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import TestKit
import Testing
import TunnelConfig

/// What becomes of open streams when the right to be there ends.
@Suite(.timeLimit(.minutes(2)))
struct RevocationTests {
    private let access = AccessDouble()
    private static let host = "closed.site.test"
    private static let token = "Cf-Access-Token: good\r\n"

    private struct Setting {
        let edge: EdgeHarness
        let policies: PolicyDouble
        let streams: AsyncStream<LinkStream>
    }

    private func withEdge(
        _ snapshot: AccessSnapshot, limits: EdgeLimits = EdgeLimits(), audit: AuditLog? = nil,
        serve: @escaping @Sendable (LinkStream) -> Void = WebSocketTests.accept,
        _ body: (Setting) async throws -> Void
    ) async throws {
        let source = PolicyDouble(snapshot)
        let (streams, arrived) = AsyncStream.makeStream(of: LinkStream.self)
        try await EdgeHarness.with(
            limits: limits, access: access, audit: audit,
            policies: PolicyCache(source: source, logger: EdgeHarness.quiet)
        ) { edge in
            let connector = try await edge.connector { stream in
                serve(stream)
                arrived.yield(stream)
            }
            try await body(Setting(edge: edge, policies: source, streams: streams))
            try await connector.close()
        }
    }

    /// An open WebSocket that has seen one frame come back.
    private func socket(_ edge: EdgeHarness, _ shown: String = token) async throws -> RawVisitor {
        let visitor = try await edge.visitor(Self.host)
        try await visitor.send(WebSocketTests.request(Self.host, shown))
        _ = try await visitor.received("\r\n\r\n")
        try await visitor.send(ByteBuffer(bytes: [0x82, 5] + Array("hello".utf8)))
        _ = try await visitor.received("hello")
        return visitor
    }

    private static func farewell(_ reason: String) -> [UInt8] {
        let text = Array("access ended: \(reason)".utf8)
        return [0x88, UInt8(text.count + 2), 0x03, 0xF0] + text
    }

    @Test
    func `When the session is ended, the WebSocket is closed with 1008, the stream too, and both are on record`()
        async throws
    {
        access.issue("good", Cast.claims())
        let path = FileManager.default.temporaryDirectory.appending(path: "audit-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let audit = AuditLog(path: path)
        try await withEdge(Cast.snapshot(Cast.application(.rdp)), audit: audit) { setting in
            let visitor = try await socket(setting.edge)
            var streams = setting.streams.makeAsyncIterator()
            let stream = try #require(await streams.next())
            setting.policies.set(try Cast.snapshot(Cast.application(.rdp), sessions: []))
            let bytes = try await visitor.endBytes()
            #expect(
                bytes.suffix(7 + Self.farewell("the session was ended").count)
                    == [0x82, 5] + Array("hello".utf8) + Self.farewell("the session was ended"))
            try await stream.eventLoop.flatSubmit { stream.ended }.get()
            // Who comes again is sent to the login.
            let again = try await setting.edge.curl(Self.host, "/", ["-H", "Cf-Access-Token: good"])
            #expect(again.status == 302)
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await audit.run() }
            group.cancelAll()
        }
        let log = try String(contentsOfFile: path, encoding: .utf8)
        let lines = log.split(separator: "\n")
        #expect(lines.contains { $0.contains("admit") && $0.contains("alice@site.test") })
        #expect(lines.contains { $0.contains("withdrawn") && $0.contains("\"bytesDown\":") && $0.contains("duration") })
        #expect(!log.contains("good"))
    }

    @Test(arguments: [0, 1, 2, 3])
    func `Whatever takes the right away ends the WebSocket`(change: Int) async throws {
        access.issue("good", Cast.claims(life: change == 3 ? 2 : 600))
        let application = try Cast.application(.rdp)
        try await withEdge(Cast.snapshot(application)) { setting in
            let visitor = try await socket(setting.edge)
            switch change {
            case 0: setting.policies.set(try Cast.snapshot(Cast.application(.rdp, [Cast.policy(.deny, .everyone)])))
            case 1: setting.policies.set(try Cast.snapshot(application, revokedBefore: [Cast.audience: Date() + 1]))
            case 2: setting.policies.set(AccessSnapshot.empty)
            default: break
            }
            let reasons = [
                "the policy does not admit the visitor any more", "the session was ended",
                "the policy does not admit the visitor any more", "the login has expired",
            ]
            let expected = change == 2 ? "the session was ended" : reasons[change]
            #expect(try await visitor.endBytes().suffix(Self.farewell(expected).count) == Self.farewell(expected)[...])
        }
    }

    @Test
    func `A service token that is removed, and a destination that is taken off the list, end streams`() async throws {
        let program =
            "Cf-Access-Client-Id: visitor.access\r\nCf-Access-Client-Secret: \(EdgeHarness.serviceSecret)\r\n"
            + "Cf-Access-Jump-Destination: 10.1.2.3:22\r\n"
        var application = try Cast.application(.bastion, [Cast.policy(.nonIdentity, .anyValidServiceToken)])
        application.destinations = [DestinationGrant(destinations: try DestinationAllowList(["10.1.2.3:22"]))]
        try await withEdge(Cast.snapshot(application)) { setting in
            var visitor = try await socket(setting.edge, program)
            var changed = application
            changed.destinations = [DestinationGrant(destinations: try DestinationAllowList(["10.1.2.4:22"]))]
            setting.policies.set(try Cast.snapshot(changed))
            #expect(try await visitor.end().contains("the destination is not allowed any more"))
            setting.policies.set(try Cast.snapshot(application))
            // The new list is in force when this is let in.
            while try await setting.edge.curl(Self.host, "/", Self.arguments(program)).status == 403 {}
            visitor = try await socket(setting.edge, program)
            setting.policies.set(AccessSnapshot(configuration: try AccessConfiguration(applications: [application])))
            #expect(try await visitor.end().contains("the service token was removed"))
        }
    }

    @Test(arguments: [true, false])
    func `What a service token's cookie opened ends with it, and when it is revoked`(expires: Bool) async throws {
        let program = TokenClaims(
            kind: .app, audience: [Cast.audience], subject: "", sessionID: nil, serviceTokenID: Cast.robot.id,
            issuedAt: Date() + 1, expiresAt: Date() + (expires ? 2 : 600))
        access.issue("program", program)
        let application = try Cast.application(
            .tcp, [Cast.policy(.nonIdentity, .anyValidServiceToken), Cast.alice])
        try await withEdge(Cast.snapshot(application)) { setting in
            let visitor = try await socket(setting.edge, "Cookie: CF_Authorization=program\r\n")
            if !expires {
                setting.policies.set(try Cast.snapshot(application, revokedBefore: [Cast.audience: Date() + 2]))
            }
            let reason = Self.farewell(expires ? "the login has expired" : "the session was ended")
            #expect(try await visitor.endBytes().suffix(reason.count) == reason[...])
        }
    }

    @Test
    func `When the policy is lost for long, what it let in ends, but not at once`() async throws {
        access.issue("good", Cast.claims())
        let (clock, source) = (ManualClock(), PolicyDouble(try Cast.snapshot(Cast.application(.rdp))))
        var limits = EdgeLimits()
        limits.admissionCheck = .milliseconds(20)
        let policies = PolicyCache(
            source: source, clock: clock, maximumAge: .seconds(30), grace: .seconds(120), leastPause: .zero,
            logger: EdgeHarness.quiet)
        try await EdgeHarness.with(limits: limits, access: access, policies: policies) { edge in
            let connector = try await edge.connector(serve: WebSocketTests.accept)
            let visitor = try await socket(edge)
            source.lose()
            clock.advance(by: .seconds(31))
            #expect(!policies.snapshot.isAvailable)
            #expect(try await edge.curl(Self.host).status == 503)
            try await visitor.send(ByteBuffer(bytes: [0x82, 5] + Array("still".utf8)))
            _ = try await visitor.received("still")
            clock.advance(by: .seconds(120))
            let reason = Self.farewell("the edge cannot read its access policy")
            #expect(try await visitor.endBytes().suffix(reason.count) == reason[...])
            try await connector.close()
        }
    }

    private static func arguments(_ headers: String) -> [String] {
        headers.split(separator: "\r\n").flatMap { ["-H", String($0)] }
    }

    @Test
    func `An answer that goes on is cut, so that nobody takes it for whole`() async throws {
        access.issue("good", Cast.claims())
        let endless: @Sendable (LinkStream) -> Void = { stream in
            stream.respond(StreamResponse(status: 200, headers: [:]))
            stream.write(ByteBuffer(string: "begin"))
            stream.flush()
        }
        try await withEdge(Cast.snapshot(Cast.application()), serve: endless) { setting in
            let visitor = try await setting.edge.visitor(Self.host)
            try await visitor.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\(Self.token)\r\n")
            _ = try await visitor.received("begin")
            setting.policies.set(try Cast.snapshot(Cast.application(), sessions: []))
            #expect(try await !visitor.end().contains("0\r\n\r\n"))
        }
    }

    @Test
    func `A frame on its way may end before the close, and is cut when it does not`() async throws {
        access.issue("good", Cast.claims())
        var limits = EdgeLimits()
        limits.frameEnd = .seconds(30)
        let head: [UInt8] = [0x82, 9] + Array("half".utf8)
        for ends in [true, false] {
            limits.frameEnd = ends ? .seconds(30) : .milliseconds(50)
            try await withEdge(Cast.snapshot(Cast.application(.rdp)), limits: limits) { setting in
                let visitor = try await socket(setting.edge)
                var streams = setting.streams.makeAsyncIterator()
                let stream = try #require(await streams.next())
                try await visitor.send(ByteBuffer(bytes: head))
                _ = try await visitor.received("half")
                setting.policies.set(try Cast.snapshot(Cast.application(.rdp), sessions: []))
                guard ends else {
                    #expect(try await visitor.endBytes().suffix(head.count) == head[...])
                    return
                }
                // The edge has seen it when it lets nobody in any more.
                while try await setting.edge.curl(Self.host, "/", ["-H", "Cf-Access-Token: good"]).status != 302 {}
                try await visitor.send(ByteBuffer(string: "dropped"))
                stream.eventLoop.execute {
                    stream.write(ByteBuffer(string: "whole"))
                    stream.write(ByteBuffer(bytes: [0x82, 4] + Array("more".utf8)))
                    stream.flush()
                }
                let expected = head + Array("whole".utf8) + Self.farewell("the session was ended")
                #expect(try await visitor.endBytes().suffix(expected.count) == expected[...])
            }
        }
    }

    /// Measured, and told by `CLOUDFLARED_TRIALS=100 swift test --filter …`; a test only wants it to end.
    @Test
    func `From the change in the store to the visitor's end little time passes`() async throws {
        let trials = ProcessInfo.processInfo.environment["CLOUDFLARED_TRIALS"].flatMap { Int($0) } ?? 5
        access.issue("good", Cast.claims())
        var took: [Duration] = []
        try await withEdge(Cast.snapshot(Cast.application(.rdp))) { setting in
            for _ in 0..<trials {
                setting.policies.set(try Cast.snapshot(Cast.application(.rdp)))
                while try await setting.edge.curl(Self.host, "/", ["-H", "Cf-Access-Token: good"]).status == 302 {}
                let visitor = try await socket(setting.edge)
                let start = ContinuousClock.now
                setting.policies.set(try Cast.snapshot(Cast.application(.rdp), sessions: []))
                #expect(try await visitor.end().contains("access ended"))
                took.append(ContinuousClock.now - start)
            }
        }
        took.sort()
        print("revocation to end, \(trials) trials: median \(took[trials / 2]), most \(took[trials - 1])")
    }
}
