import Access
import ByteStream
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceHost
import Synchronization
import TestKit
import Testing
import TunnelConfig

@testable import AccessClient

/// Forwarders to a protected host, over TLS on loopback.
@Suite(.timeLimit(.minutes(1))) struct LoginForwardTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func configuration(_ server: TeamServer, _ presenter: PresenterDouble) throws -> ForwarderConfiguration {
        let environment = ["SSL_CERT_FILE": try TestKit.TestCertificates.shared.get().authorityFile]
        var configuration = ForwarderConfiguration(
            hostname: try AccessHostname.parse(server.team.application),
            listen: ListenAddress(host: "localhost", port: 0), environment: environment)
        let directory = FileManager.default.temporaryDirectory.path + "/forward-\(UUID().uuidString.prefix(8))"
        configuration.login = AccessLogin(
            AccessLogin.Configuration(
                domains: try AuthDomains([server.team.team]),
                storeURL: try #require(WebURL("https://\(server.team.store)/")), userAgent: "cloudflared/test"),
            store: TokenStore(directory: directory),
            transport: WebClient(authorityFiles: [], environment: environment), presenter: presenter,
            logger: logger)
        return configuration
    }

    private func listening<Value: Sendable>(
        _ configuration: ForwarderConfiguration, _ body: (SocketAddress) async throws -> Value
    ) async throws -> Value {
        let forwarder = Forwarder(configuration, logger: logger)
        let (addresses, bound) = AsyncStream.makeStream(of: SocketAddress.self)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await forwarder.run { bound.yield($0) } }
            var iterator = addresses.makeAsyncIterator()
            let address = try #require(await iterator.next())
            let value = try await body(address)
            group.cancelAll()
            try await group.waitForAll()
            return value
        }
    }

    private func exchange(_ address: SocketAddress, _ bytes: ByteBuffer) async throws -> ByteBuffer {
        let pipe = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: false)
            .connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture { try ChannelPipe.install(on: channel) }
            }
        return try await SocketPeer.start(pipe, sending: bytes, afterPeerEnded: false).get()
    }

    @Test func `connections that come at once share one login, and later ones its token`() async throws {
        let server = try await TeamServer.start()
        let presenter = PresenterDouble()
        try await listening(try configuration(server, presenter)) { address in
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for seed in 0..<8 {
                    group.addTask {
                        let bytes = patternBytes(5000, seed: UInt8(seed))
                        return try await exchange(address, bytes) == bytes ? 1 : 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 8)
            #expect(try await exchange(address, ByteBuffer(string: "later")) == ByteBuffer(string: "later"))
        }
        #expect(presenter.count == 1)
        let upgrades = server.team.state.withLock { $0.asked.filter { $0.method == "UPGRADE" } }
        #expect(upgrades.count == 18)
        #expect(upgrades.first?.headers.contains(name: "cf-access-token") == false)
        try await server.stop()
    }

    @Test func `a token that no longer counts is replaced at the next connection, without a restart`() async throws {
        let server = try await TeamServer.start()
        let presenter = PresenterDouble()
        try await listening(try configuration(server, presenter)) { address in
            let bytes = ByteBuffer(string: "hello")
            let first = try await exchange(address, bytes)
            #expect(first == bytes)
            // Revoked at the edge, and the session with it.
            server.team.state.withLock {
                $0.tokens = []
                $0.sessions = []
            }
            let second = try await exchange(address, bytes)
            #expect(second == bytes)
            #expect(presenter.count == 2)
            // The session lives: no browser.
            server.team.state.withLock { $0.tokens = [] }
            let third = try await exchange(address, bytes)
            #expect(third == bytes)
            #expect(presenter.count == 2)
        }
        try await server.stop()
    }

    @Test func `with a service token there is never a browser, but the reason`() async throws {
        let server = try await TeamServer.start()
        let presenter = PresenterDouble()
        var configuration = try configuration(server, presenter)
        configuration.listen = nil
        for usesHeader in [false, true] {
            if usesHeader {
                configuration.serviceTokenID = nil
                configuration.headers = try ForwarderConfiguration.headers(fromFlags: ["CF-Access-Client-Id: x"])
            } else {
                configuration.serviceTokenID = "x"
                configuration.serviceTokenSecret = Secret("y")
            }
            let forwarder = Forwarder(configuration, logger: logger)
            let error = await #expect(throws: AccessError.self) {
                let null = try #require(FileHandle(forUpdatingAtPath: "/dev/null"))
                try await forwarder.runStandardIO(input: null.fileDescriptor, output: null.fileDescriptor)
            }
            #expect(error?.code == .loginRequired)
            #expect("\(error.map(String.init(describing:)) ?? "")".contains("service token"))
        }
        #expect(presenter.count == 0)
        try await server.stop()
    }

    @Test func `a fresh token that the edge does not take is an error with a reason`() async throws {
        let server = try await TeamServer.start()
        server.team.state.withLock { $0.makesGoodTokens = false }
        var configuration = try configuration(server, PresenterDouble())
        configuration.listen = nil
        let forwarder = Forwarder(configuration, logger: logger)
        let error = await #expect(throws: AccessError.self) {
            let null = try #require(FileHandle(forUpdatingAtPath: "/dev/null"))
            try await forwarder.runStandardIO(input: null.fileDescriptor, output: null.fileDescriptor)
        }
        #expect(error?.code == .loginRequired)
        #expect(error?.description.contains("just gave") == true)
        try await server.stop()
    }

    @Test func `connections show no further login while the edge refuses what it gives`() async throws {
        let server = try await TeamServer.start()
        server.team.state.withLock {
            $0.makesGoodTokens = false
            $0.handsOutSessions = false
        }
        let presenter = PresenterDouble()
        try await listening(try configuration(server, presenter)) { address in
            for _ in 0..<4 { _ = try? await exchange(address, ByteBuffer(string: "hello")) }
        }
        #expect(presenter.count == 1)
        try await server.stop()
    }

    @Test func `the client for logins says which hop failed`() async throws {
        let server = try await TeamServer.start()
        let url = try #require(server.team.url())
        let stranger = WebClient(
            authorityFiles: [],
            environment: ["SSL_CERT_FILE": try TestKit.TestCertificates.shared.get().strangerFile])
        let untrusted = await #expect(throws: AccessError.self) {
            try await stranger.send(WebRequest(.GET, url, timeout: .seconds(5)))
        }
        #expect(untrusted?.code == .untrusted)
        try await server.stop()
        let client = WebClient(
            authorityFiles: [try TestKit.TestCertificates.shared.get().authorityFile], environment: [:])
        let gone = await #expect(throws: AccessError.self) {
            try await client.send(WebRequest(.GET, url, timeout: .seconds(5)))
        }
        #expect(gone?.code == .unreachable)
    }
}
