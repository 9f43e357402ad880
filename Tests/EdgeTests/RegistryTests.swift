import Edge
import EdgeStore
import EdgeTransport
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing
import TunnelConfig
import TunnelWire

/// Registration and its end, as a connector sees them.
@Suite(.timeLimit(.minutes(2)))
struct RegistryTests {
    @Test
    func `A connector that registers is recorded until its link ends`() async throws {
        try await EdgeHarness.with { edge in
            let clientID = UUID()
            let connector = try await edge.connector(index: 3, clientID: clientID, serve: Serve.answer())
            let details = try await connector.registration().get()
            #expect(details.locationName == "local01")
            #expect(!details.tunnelIsRemotelyManaged)
            let record = try #require(await edge.store.connections(ofTunnels: [EdgeHarness.home.id]).first)
            #expect(record.id == details.uuid)
            #expect(record.connectorID == clientID)
            #expect(record.index == 3)
            #expect(record.originIP == "127.0.0.1")
            #expect(record.architecture == "linux_amd64")
            try await connector.close()
            try await edge.untilConnections(are: 0)
            #expect(try await edge.curl("open.site.test").status == 530)
        }
    }

    @Test
    func `Wrong credentials are refused with a reason, and the link is closed`() async throws {
        try await EdgeHarness.with { edge in
            let home = EdgeHarness.home
            let attempts = try await [
                TestConnector.dial(edge, secret: Array(repeating: 0, count: 32)),
                TestConnector.dial(edge, secret: []),
                TestConnector.dial(edge, account: "other"),
                TestConnector.dial(edge, tunnelID: UUID()),
            ]
            for (number, connector) in attempts.enumerated() {
                guard case .failure(let error) = try await connector.registration() else {
                    Issue.record("attempt \(number) was let in")
                    continue
                }
                #expect(error.cause.contains("Unauthorized"))
                // Asking again with the same words is pointless; the text keeps an official connector trying all the same.
                #expect(!error.shouldRetry)
                #expect(error.cause.contains(number == 3 ? "no such tunnel" : "secret"))
                // Closed by the edge, without our doing.
                _ = try await connector.link.ended.get()
            }
            #expect(await edge.store.connections(ofTunnels: [home.id]).isEmpty)
        }
    }

    @Test
    func `A tunnel made a moment ago is known`() async throws {
        try await EdgeHarness.with { edge in
            let tunnel = TunnelRecord(
                id: UUID(), name: "new", accountTag: "x", secret: TunnelConfig.TunnelSecret([1, 2, 3]),
                createdAt: Date())
            try await edge.store.createTunnel(tunnel)
            let connector = try await TestConnector.dial(edge, tunnelID: tunnel.id, secret: [1, 2, 3], account: "x")
            _ = try await connector.registration().get()
            try await connector.close()
        }
    }

    @Test
    func `Another secret drops who came with the old one, and lets in who has the new one`() async throws {
        try await EdgeHarness.with { edge in
            let home = EdgeHarness.home
            let old = try await edge.connector(serve: Serve.answer())
            let secret = [UInt8](repeating: 9, count: 32)
            _ = try await edge.store.changeTunnel(home.id, name: nil, secret: TunnelConfig.TunnelSecret(secret))
            // At once, whether or not the edge has looked at its store since.
            let new = try await TestConnector.dial(edge, secret: secret)
            _ = try await new.registration().get()
            _ = try await old.link.ended.get()
            let late = try await TestConnector.dial(edge)
            guard case .failure(let error) = try await late.registration() else {
                Issue.record("the old secret was let in")
                return
            }
            #expect(error.cause.contains("secret"))
            #expect(new.link.channel.isActive)
            try await new.close()
        }
    }

    @Test
    func `The same connection of a connector registered again replaces the old one`() async throws {
        try await EdgeHarness.with { edge in
            let clientID = UUID()
            let old = try await edge.connector(index: 0, clientID: clientID, serve: Serve.answer(body: "old"))
            let other = try await edge.connector(index: 1, clientID: clientID, serve: Serve.answer(body: "other"))
            let new = try await edge.connector(index: 0, clientID: clientID, serve: Serve.answer(body: "new"))
            _ = try await old.link.ended.get()
            try await edge.untilConnections(are: 2)
            var seen: Set<String> = []
            for _ in 0..<8 { seen.insert(try await edge.curl("open.site.test").text) }
            #expect(seen == ["other", "new"])
            try await other.close()
            try await new.close()
        }
    }

    @Test
    func `Unregistering ends the routing at once and lets running streams end`() async throws {
        try await EdgeHarness.with { edge in
            let (streams, arrived) = AsyncStream.makeStream(of: LinkStream.self)
            let leaving = try await edge.connector { arrived.yield($0) }
            let visitor = try await edge.visitor()
            try await visitor.send("GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n")
            var arrivals = streams.makeAsyncIterator()
            let running = try #require(await arrivals.next())
            try await leaving.unregister()
            #expect(try await edge.curl("open.site.test").status == 530)
            let staying = try await edge.connector(index: 1, serve: Serve.answer(body: "staying"))
            #expect(try await edge.curl("open.site.test").text == "staying")
            #expect(leaving.link.channel.isActive)
            running.eventLoop.execute { Serve.answer(body: "served to the end")(running) }
            _ = try await visitor.received("served to the end")
            leaving.goodbye()
            _ = try await leaving.link.ended.get()
            try await visitor.close()
            try await staying.close()
        }
    }

    @Test
    func `A connector that says goodbye without unregistering gets nothing more, and its link ends in time`()
        async throws
    {
        var limits = EdgeLimits()
        limits.drain = .milliseconds(50)
        try await EdgeHarness.with(limits: limits) { edge in
            let (streams, arrived) = AsyncStream.makeStream(of: LinkStream.self)
            let leaving = try await edge.connector { arrived.yield($0) }
            let visitor = try await edge.visitor()
            try await visitor.send("GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n")
            var arrivals = streams.makeAsyncIterator()
            // Never answered: only the edge's deadline can end the link.
            let running = try #require(await arrivals.next())
            leaving.goodbye()
            try await edge.untilConnections(are: 0)
            #expect(try await edge.curl("open.site.test").status == 530)
            _ = try await leaving.link.ended.get()
            _ = running
        }
    }

    @Test
    func `A connector that does not register in time is sent away`() async throws {
        var limits = EdgeLimits()
        limits.registration = .milliseconds(50)
        try await EdgeHarness.with(limits: limits) { edge in
            let silent = try await TestConnector.dial(edge, registers: false)
            _ = try await silent.link.ended.get()
        }
    }

    @Test
    func `More strangers than allowed are turned away, registered connectors do not count`() async throws {
        var limits = EdgeLimits()
        limits.unregisteredLinks = 1
        try await EdgeHarness.with(limits: limits) { edge in
            let registered = try await edge.connector(serve: Serve.answer(body: "through"))
            let stranger = try await TestConnector.dial(edge, registers: false)
            await #expect(throws: LinkError.self) { _ = try await TestConnector.dial(edge, registers: false) }
            #expect(try await edge.curl("open.site.test").text == "through")
            try await stranger.close()
            try await registered.close()
        }
    }

    @Test
    func `Deleting a tunnel closes its links, and so does a cleanup`() async throws {
        try await EdgeHarness.with { edge in
            let first = try await edge.connector(index: 0, serve: Serve.answer())
            let second = try await edge.connector(index: 1, serve: Serve.answer())
            try await edge.store.cleanUpConnections(
                ofTunnel: EdgeHarness.home.id, connector: try await edge.connectorID(of: first))
            _ = try await first.link.ended.get()
            #expect(second.link.channel.isActive)
            try await edge.store.deleteTunnel(EdgeHarness.home.id, cascade: true, at: Date())
            _ = try await second.link.ended.get()
            #expect(try await edge.curl("open.site.test").status == 404)
        }
    }

    @Test
    func `Requests spread over the links of a tunnel`() async throws {
        try await EdgeHarness.with { edge in
            let connectors = try await [0, 1, 2].asyncMap { index in
                try await edge.connector(index: UInt8(index), serve: Serve.answer(body: "\(index)"))
            }
            var seen: Set<String> = []
            for _ in 0..<12 { seen.insert(try await edge.curl("open.site.test").text) }
            #expect(seen == ["0", "1", "2"])
            for connector in connectors { try await connector.close() }
        }
    }
}

/// The edge as a whole.
@Suite(.timeLimit(.minutes(2)))
struct EdgeServerTests {
    @Test
    func `Cancelling ends the edge and all its links, running requests or not`() async throws {
        let (ended, end) = AsyncStream.makeStream(of: Void.self)
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector { _ in }
            connector.link.ended.whenComplete { _ in end.finish() }
            let visitor = try await edge.visitor()
            try await visitor.send("GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n")
            let idle = try await edge.visitor()
            _ = idle
        }
        for await _ in ended {}
    }

    @Test
    func `Draining lets a running request end, and takes no new visitors`() async throws {
        try await EdgeHarness.with { edge in
            let (streams, arrived) = AsyncStream.makeStream(of: LinkStream.self)
            let connector = try await edge.connector { arrived.yield($0) }
            let visitor = try await edge.visitor()
            try await visitor.send("GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n")
            let idle = try await edge.visitor()
            try await idle.send("GET / HTTP/1.1\r\nHost: nowhere.site.test\r\n\r\n")
            _ = try await idle.received("HTTP/1.1 421")
            var arrivals = streams.makeAsyncIterator()
            let running = try #require(await arrivals.next())
            edge.server.drain()
            _ = try await idle.end()
            running.eventLoop.execute { Serve.answer(200, ["content-length": "4"], body: "done")(running) }
            let answer = try await visitor.end()
            #expect(answer.hasSuffix("done"))
            _ = try await connector.link.ended.get()
        }
    }

    @Test
    func `A request on a kept connection is served while the edge drains, and told to go elsewhere`() async throws {
        var limits = EdgeLimits()
        limits.farewell = .seconds(60)
        try await EdgeHarness.with(limits: limits) { edge in
            let connector = try await edge.connector(serve: Serve.answer(200, ["content-length": "2"], body: "ok"))
            let visitor = try await edge.visitor()
            let request = "GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n"
            try await visitor.send(request)
            _ = try await visitor.received("\r\n\r\nok")
            edge.server.drain()
            // Both stop listening, one after the other.
            while (try? await edge.visitor()) != nil { await Task.yield() }
            while (try? await TestConnector.dial(edge)) != nil { await Task.yield() }
            try await visitor.send(request)
            let answer = try await visitor.end()
            #expect(answer.hasSuffix("connection: close\r\n\r\nok"), "\(answer)")
            _ = try await connector.link.ended.get()
        }
    }

    @Test
    func `New connections get the certificates of a reload, and open ones go on`() async throws {
        try await EdgeHarness.with { edge in
            let connector = try await edge.connector(serve: Serve.answer(200, ["content-length": "2"], body: "ok"))
            let before = try await edge.visitor()
            let request = "GET / HTTP/1.1\r\nHost: open.site.test\r\n\r\n"
            try await before.send(request)
            _ = try await before.received("\r\n\r\nok")
            // Both sides show what nobody here trusts.
            let path = FileManager.default.temporaryDirectory.appending(path: "edge-other-\(UUID().uuidString)").path
            defer { try? FileManager.default.removeItem(atPath: path) }
            let other = try await DataDirectory.initialize(at: path, plan: DataDirectory.Plan(zone: EdgeHarness.zone))
            edge.server.certificates.replace(
                by: EdgeCertificates.Pair(
                    tunnel: try EdgeTLS.edge(
                        certificateFile: other.tunnelCertificate.certificatePath,
                        keyFile: other.tunnelCertificate.keyPath),
                    visitor: try VisitorTLS(certificate: other.visitorCertificate, own: nil)))
            #expect(try await edge.curl("open.site.test").exit == 60)
            let new = try await CurlAnswer.run(
                [
                    "--cacert", other.path(of: .authority), "--resolve", "open.site.test:\(edge.httpsPort):127.0.0.1",
                    "https://open.site.test:\(edge.httpsPort)/",
                ], input: nil)
            #expect(new.text == "ok")
            await #expect { _ = try await TestConnector.dial(edge) } throws: { error in
                (error as? LinkError)?.code == .certificateRefused
            }
            try await before.send(request)
            _ = try await before.received("\r\n\r\nok", times: 2)
            try await before.close()
            try await connector.close()
        }
    }

    @Test
    func `A port that is taken is named, with the flag that changes it`() async throws {
        try await EdgeHarness.with { edge in
            var configuration = try await edge.configuration()
            configuration.httpsListen = try ListenAddress("127.0.0.1:\(edge.httpsPort)")
            let second = EdgeServer(
                configuration: configuration, store: edge.store, account: nil,
                group: .singletonMultiThreadedEventLoopGroup,
                logger: EdgeHarness.quiet)
            let error = await #expect(throws: EdgeError.self) { try await second.run { _ in } }
            #expect(error?.code == .listen)
            #expect(error?.message.contains("--https-listen") == true)
        }
    }

    @Test(arguments: ["", "8443", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:80", "example.com:80"])
    func `What is no address is refused`(text: String) {
        #expect(throws: EdgeError.self) { try ListenAddress(text) }
    }

    @Test
    func `Addresses are taken in the usual forms`() throws {
        #expect(try ListenAddress("[::1]:80").description == "[::1]:80")
        #expect(try ListenAddress(":0").description == "0.0.0.0:0")
        #expect(try ListenAddress("localhost:7844").description == "127.0.0.1:7844")
    }

    @Test
    func `listening.json says where, and goes away`() throws {
        let directory = FileManager.default.temporaryDirectory.path + "/edge-listening-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = ListeningFile(dataDirectory: directory)
        try file.write(EdgeServer.Listening(tunnel: "127.0.0.1:7844", https: "[::1]:8443"))
        #expect(
            try String(contentsOfFile: file.path, encoding: .utf8)
                == "{\"https\":\"[::1]:8443\",\"tunnel\":\"127.0.0.1:7844\"}\n")
        file.remove()
        #expect(!FileManager.default.fileExists(atPath: file.path))
        #expect(throws: EdgeError.self) {
            try ListeningFile(dataDirectory: directory + "/missing").write(.init(tunnel: "", https: ""))
        }
    }
}

extension EdgeHarness {
    func untilConnections(are count: Int) async throws {
        while await store.connections(ofTunnels: [Self.home.id]).count != count { await Task.yield() }
    }

    func connectorID(of connector: TestConnector) async throws -> UUID {
        let id = try await connector.registration().get().uuid
        let records = await store.connections(ofTunnels: [Self.home.id])
        return try #require(records.first { $0.id == id }).connectorID
    }
}

extension Sequence {
    fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
        var results: [T] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
