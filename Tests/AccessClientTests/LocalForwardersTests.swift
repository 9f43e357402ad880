import ByteStream
import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TestKit
import Testing
import TunnelConfig

@testable import AccessClient
@testable import ServiceHost

/// The forwarders of a daemon, with real listeners and a TLS server in this process that plays the edge.
@Suite(.timeLimit(.minutes(1))) struct LocalForwardersTests {
    private typealias Condition = LocalForwarders.Condition

    /// Forwarders that run, and what they have told.
    private struct Bench {
        let forwarders: LocalForwarders
        let clock: ManualClock
        let log: Words
        fileprivate let conditions: AsyncStream<Condition>

        /// Puts these in force.
        func select(_ configurations: ForwarderConfiguration...) throws {
            forwarders.replace(by: try forwarders.select(configurations))
        }

        /// Waits until they are so.
        @discardableResult
        func until(_ isSo: (Condition) -> Bool) async throws -> Condition {
            for await condition in conditions where isSo(condition) { return condition }
            throw CancellationError()
        }
    }

    private func running(_ body: (Bench) async throws -> Void) async throws {
        let clock = ManualClock()
        let log = Words()
        let forwarders = LocalForwarders(logger: Logger(label: "test") { _ in log }, clock: clock)
        let (conditions, feed) = AsyncStream.makeStream(of: Condition.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await forwarders.run { feed.yield($0) } }
            try await body(Bench(forwarders: forwarders, clock: clock, log: log, conditions: conditions))
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func configuration(_ edge: FakeEdge, port: Int) throws -> ForwarderConfiguration {
        var configuration = ForwarderConfiguration(
            hostname: try AccessHostname.parse("rdp.localhost:\(edge.port)"),
            listen: ListenAddress(host: "127.0.0.1", port: port),
            environment: ["SSL_CERT_FILE": try TestCertificates.shared.get().authority])
        configuration.webSocket.pingInterval = nil
        return configuration
    }

    private func freePort() throws -> Int {
        let socket = try #require(makeListeningSocket())
        close(socket.descriptor)
        return socket.port
    }

    /// Connects and lets `body` send words and take what comes back.
    private func connected(
        _ port: Int, _ body: (_ exchange: (String) async throws -> String) async throws -> Void
    ) async throws {
        let (words, feed) = AsyncStream.makeStream(of: String.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Ear(feed))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        try await body { word in
            try await channel.writeAndFlush(ByteBuffer(string: word)).get()
            for await word in words { return word }
            return ""
        }
        try? await channel.close().get()
    }

    /// Passes on what comes in.
    private final class Ear: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let feed: AsyncStream<String>.Continuation

        init(_ feed: AsyncStream<String>.Continuation) { self.feed = feed }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            feed.yield(String(buffer: unwrapInboundIn(data)))
        }

        func channelInactive(context: ChannelHandlerContext) { feed.finish() }
    }

    private func answer(at port: Int, to word: String) async throws -> String {
        var answer = ""
        try await connected(port) { answer = try await $0(word) }
        return answer
    }

    private func isRefused(_ port: Int) async -> Bool {
        do {
            try await connected(port) { _ in }
            return false
        } catch {
            return true
        }
    }

    @Test func `a listener that fails is bound again, and its open connection lives on`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let port = try freePort()
        try await running { bench in
            try bench.select(try configuration(edge, port: port))
            try await bench.until { $0.listening == 1 }
            try await connected(port) { exchange in
                #expect(try await exchange("before") == "before")
                try #require(breakListener(port: port))
                let condition = try await bench.until { $0.listening == 0 }
                #expect(condition.status.hasPrefix("Forwarding 0 of 1 local address(es): "), "\(condition.status)")
                await bench.clock.waitForSleepers(1)
                #expect(try await exchange("without listener") == "without listener")
                bench.clock.advance(by: .seconds(1))
                try await bench.until { $0.listening == 1 }
                #expect(try await answer(at: port, to: "again") == "again")
                #expect(try await exchange("after") == "after")
            }
        }
        try await edge.stop()
    }

    @Test func `an address that is taken is told once and asked for until it is free`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let other = try #require(makeListeningSocket())
        try await running { bench in
            try bench.select(try configuration(edge, port: other.port), try configuration(edge, port: 0))
            let condition = try await bench.until(\.isSettled)
            #expect(condition.listening == 1 && condition.trouble?.contains("the port is taken") == true)
            for _ in 0..<5 {
                await bench.clock.waitForSleepers(1)
                bench.clock.advance(by: .seconds(30))
            }
            await bench.clock.waitForSleepers(1)
            close(other.descriptor)
            bench.clock.advance(by: .seconds(30))
            try await bench.until { $0.listening == 2 && $0.trouble == nil }
            #expect(bench.log.all.filter { $0.hasPrefix("Forwarder does not listen and tries again") }.count == 1)
            #expect(bench.log.all.filter { $0.hasPrefix("Start Websocket listener again") }.count == 1)
        }
        try await edge.stop()
    }

    @Test func `others come and go without touching open connections`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let (kept, removed, added) = (try freePort(), try freePort(), try freePort())
        try await running { bench in
            try bench.select(try configuration(edge, port: kept), try configuration(edge, port: removed))
            try await bench.until { $0.listening == 2 }
            try await connected(kept) { keptExchange in
                try await connected(removed) { removedExchange in
                    #expect(try await keptExchange("a") == "a")
                    #expect(try await removedExchange("b") == "b")
                    try bench.select(try configuration(edge, port: kept), try configuration(edge, port: added))
                    try await bench.until { $0.listening == 2 && $0.wanted == 2 && $0.isSettled }
                    #expect(try await answer(at: added, to: "c") == "c")
                    #expect(await isRefused(removed))
                    #expect(try await keptExchange("d") == "d")
                    #expect(try await removedExchange("e") == "e")
                }
            }
            // Gone, and back again.
            try bench.select(try configuration(edge, port: removed))
            try await bench.until { $0.listening == 1 && $0.wanted == 1 }
            #expect(try await answer(at: removed, to: "f") == "f")
        }
        try await edge.stop()
    }

    @Test func `a changed forwarder serves what comes next, by the same listener`() async throws {
        let old = try await FakeEdge.start(.echo)
        let new = try await FakeEdge.start(.sendAndEnd(ByteBuffer(string: "new")))
        let port = try freePort()
        try await running { bench in
            try bench.select(try configuration(old, port: port))
            try await bench.until { $0.listening == 1 }
            try await connected(port) { exchange in
                #expect(try await exchange("a") == "a")
                try bench.select(try configuration(new, port: port))
                try await bench.until { $0.wanted == 1 }
                // The selection is taken by another task than the one that accepts.
                while try await answer(at: port, to: "x") != "new" {}
                #expect(try await exchange("b") == "b")
            }
            #expect(bench.log.all.filter { $0.hasPrefix("Start Websocket listener") }.count == 1)
        }
        try await old.stop()
        try await new.stop()
    }

    @Test func `a selection with a file that cannot be read is refused before anything changes`() async throws {
        let edge = try await FakeEdge.start(.echo)
        try await running { bench in
            var configuration = try configuration(edge, port: 0)
            configuration.authorityFiles = ["/nonexistent/ca.pem"]
            #expect(throws: AccessError.self) { try bench.select(configuration) }
        }
        try await edge.stop()
    }

    @Test func `an inherited socket is listened on instead of the address`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let given = try #require(makeListeningSocket())
        defer { close(given.descriptor) }
        try await running { bench in
            var configuration = try configuration(edge, port: 1)
            configuration.listen = nil
            configuration.socket = try InheritedSocket(descriptor: given.descriptor, name: "rdp")
            try bench.select(configuration)
            try await bench.until { $0.listening == 1 }
            #expect(try await answer(at: given.port, to: "a") == "a")
            try bench.select()
            try await bench.until { $0.wanted == 0 }
            try bench.select(configuration)
            try await bench.until { $0.listening == 1 }
            // Nobody was refused while nobody listened: the socket itself never closed.
            #expect(try await answer(at: given.port, to: "b") == "b")
        }
        try await edge.stop()
    }
}

/// Keeps what is logged: the message and its metadata on one line.
private final class Words: LogHandler, Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    var logLevel: Logger.Level {
        get { .trace }
        set { _ = newValue }
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set { _ = newValue }
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set { _ = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).map { " \($0)=\($1)" }.sorted().joined()
        lines.withLock { $0.append("\(event.message)\(fields)") }
    }
}
