import Edge
import EdgeStore
import Foundation
import NIOPosix
import Testing

@Suite(.timeLimit(.minutes(2))) struct VisitorTLSTests {
    @Test
    func `A user's certificate serves the names it carries, the edge's own everything else`() async throws {
        try await EdgeHarness.with { edge in
            let now = Date()
            let stranger = try CertificateAuthority(
                name: "user", notBefore: now, notAfter: now.addingTimeInterval(3600))
            let leaf = try stranger.issue(names: ["open.site.test"], notAfter: now.addingTimeInterval(3600))
            let base = FileManager.default.temporaryDirectory.path + "/visitor-tls-\(UUID().uuidString)"
            defer { for end in ["ca", "pem", "key"] { try? FileManager.default.removeItem(atPath: "\(base).\(end)") } }
            for (end, text) in [
                ("ca", try stranger.certificatePEM), ("pem", leaf.certificatePEM), ("key", leaf.keyPEM),
            ] { try text.write(toFile: "\(base).\(end)", atomically: true, encoding: .utf8) }
            var configuration = try await edge.configuration()
            configuration.certificates.visitor = try VisitorTLS(
                certificate: ServerCertificate.check(
                    certificatePath: "\(base).pem", keyPath: "\(base).key", purpose: "visitor", now: now),
                own: edge.directory.issueVisitorCertificate(addresses: ["127.0.0.2"]))
            configuration.httpsListen = try ListenAddress("127.0.0.2:0")
            let server = EdgeServer(
                configuration: configuration, store: edge.store, account: nil,
                group: .singletonMultiThreadedEventLoopGroup, logger: EdgeHarness.quiet)
            let (addresses, bound) = AsyncStream.makeStream(of: EdgeServer.Listening.self)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    defer { bound.finish() }
                    try await server.run { bound.yield($0) }
                }
                for await listening in addresses {
                    let port = try #require(listening.https.split(separator: ":").last)
                    for (host, authority) in [
                        ("open.site.test", "\(base).ca"), ("api.site.test", edge.directory.path(of: .authority)),
                        ("127.0.0.2", edge.directory.path(of: .authority)),
                    ] {
                        // curl ends with an error when the certificate is not the expected one.
                        let answer = try await CurlAnswer.run(
                            [
                                "--cacert", authority, "--resolve", "\(host):\(port):127.0.0.2", "--max-time", "60",
                                "https://\(host):\(port)/",
                            ], input: nil)
                        #expect(answer.status >= 400, "\(host)")
                    }
                    break
                }
                tasks.cancelAll()
                try await tasks.waitForAll()
            }
        }
    }
}
