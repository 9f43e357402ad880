import NIOCore
import NIOPosix
import NIOSSL
import TestKit
import Testing

@testable import NameResolver

@Suite(.timeLimit(.minutes(1))) struct DNSOverTLSTests {
    private static let service = "_edge._tcp.test"

    /// A name server that answers over TLS with one of the test certificates.
    @discardableResult
    private func asking<Result>(
        _ kind: TestCertificates.Kind = .valid, timeout: TimeAmount = .seconds(15),
        _ answer: @escaping DNSResponder.Answer, _ body: (DNSOverTLS) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup.singleton
        let certificates = try TestCertificates.shared.get()
        let server = try certificates.server(kind)
        let listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLServerHandler(context: server), StreamAnswers(answer))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        var trust = TLSConfiguration.makeClientConfiguration()
        trust.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(certificates.authorityFile))
        let client = DNSOverTLS(
            server: try #require(listener.localAddress), tls: try NIOSSLContext(configuration: trust), group: group,
            timeout: timeout)
        do {
            let result = try await body(client)
            try await listener.close()
            return result
        } catch {
            try await listener.close()
            throw error
        }
    }

    private func answer(_ question: [UInt8]) -> [UInt8] {
        let (name, type) = DNSMessage.asked(question)
        let owner = DNSMessage.name(name)
        let record =
            switch type {
            case 33: DNSMessage.srv(name, 1, 1, 7844, "region1.test")
            case 1: DNSMessage.record(owner, 1, [192, 0, 2, 1])
            default: DNSMessage.record(owner, 28, Array(repeating: 1, count: 16))
            }
        return DNSMessage.answer(to: question, [record])
    }

    @Test func `servers and addresses are found, IPv4 first`() async throws {
        try await asking {
            question, _ in
            [answer(question)]
        } _: { client in
            #expect(try await client.services(of: Self.service).map(\.target) == ["region1.test"])
            let found = try await client.addresses(of: "region1.test", port: 7844)
            #expect(found.map(\.ipAddress) == ["192.0.2.1", "101:101:101:101:101:101:101:101"])
            #expect(found.map(\.port) == [7844, 7844])
        }
    }

    @Test func `a server with a certificate for another name is not listened to`() async throws {
        for kind in [TestCertificates.Kind.otherName, .expired] {
            try await asking(kind) {
                question, _ in
                [answer(question)]
            } _: { client in
                let error = await #expect(throws: NameError.self) { try await client.services(of: Self.service) }
                #expect(error?.code == .unreachable)
            }
        }
    }

    @Test func `a silent server, one that answers something else, and a cancellation end the question`() async throws {
        try await asking(timeout: .milliseconds(100)) {
            _, _ in
            []
        } _: { client in
            await #expect(throws: NameError.self) { try await client.services(of: Self.service) }
        }
        try await asking {
            _, _ in
            [[1]]
        } _: { client in
            let error = await #expect(throws: NameError.self) { try await client.services(of: Self.service) }
            #expect(error?.code == .badAnswer)
        }
        try await asking(timeout: .hours(1)) {
            _, _ in
            []
        } _: { client in
            await withTaskGroup { tasks in
                tasks.addTask {
                    await #expect(throws: CancellationError.self) { try await client.services(of: Self.service) }
                }
                tasks.cancelAll()
            }
        }
    }
}
