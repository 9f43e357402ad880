import ByteStream
import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceHost
import Synchronization
import TestKit
import Testing
import TunnelConfig

@testable import AccessClient

/// The forwarder against a TLS server in this process that plays the edge.
@Suite(.timeLimit(.minutes(1))) struct ForwarderTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private func configuration(
        _ edge: FakeEdge, hostname: String? = nil, environment: [String: String] = [:]
    ) throws -> ForwarderConfiguration {
        let authority = try TestCertificates.shared.get().authority
        var configuration = ForwarderConfiguration(
            hostname: try AccessHostname.parse(hostname ?? "rdp.localhost:\(edge.port)"),
            environment: environment.merging(["SSL_CERT_FILE": authority]) { given, _ in given })
        configuration.webSocket.pingInterval = nil
        return configuration
    }

    /// Runs a listener while `body` works with its address, then stops it by cancellation.
    private func listening<Value: Sendable>(
        _ configuration: ForwarderConfiguration,
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ body: (SocketAddress) async throws -> Value
    ) async throws -> Value {
        var configuration = configuration
        configuration.listen = ListenAddress(host: "localhost", port: 0)
        let forwarder = Forwarder(configuration, logger: logger)
        let (addresses, bound) = AsyncStream.makeStream(of: SocketAddress.self)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { bound.finish() }
                try await forwarder.run { bound.yield($0) }
            }
            var iterator = addresses.makeAsyncIterator()
            guard let address = await iterator.next() else {
                try await group.next()
                throw CancellationError()
            }
            let value = try await body(address)
            group.cancelAll()
            try await group.waitForAll()
            return value
        }
    }

    /// Sends through a local connection to its end and returns what came back to the end.
    private func exchange(
        _ address: SocketAddress, sending bytes: ByteBuffer, afterPeerEnded: Bool = false
    ) async throws -> ByteBuffer {
        let pipe = try await connect(address)
        return try await SocketPeer.start(pipe, sending: bytes, afterPeerEnded: afterPeerEnded).get()
    }

    private func connect(_ address: SocketAddress) async throws -> ChannelPipe {
        try await ClientBootstrap(group: group).channelOption(.autoRead, value: false).connect(to: address) { channel in
            channel.eventLoop.makeCompletedFuture { try ChannelPipe.install(on: channel) }
        }
    }

    /// Runs in standard-input mode with `input` as all of standard input; what came out.
    private func standardIO(_ configuration: ForwarderConfiguration, input: String = "") async throws -> String {
        let inputPipe = Pipe()
        let outputPipe = Pipe()
        try inputPipe.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try inputPipe.fileHandleForWriting.close()
        let forwarder = Forwarder(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await forwarder.runStandardIO(
            input: inputPipe.fileHandleForReading.fileDescriptor, output: outputPipe.fileHandleForWriting.fileDescriptor
        )
        try outputPipe.fileHandleForWriting.close()
        return String(decoding: try outputPipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    }

    private func refusal(_ configuration: ForwarderConfiguration) async -> AccessError? {
        await #expect(throws: AccessError.self) { try await standardIO(configuration) }
    }

    // MARK: Carrying

    @Test func `a megabyte goes both ways in masked messages of a size the official connector takes`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let bytes = patternBytes(1 << 20)
        let back = try await listening(try configuration(edge)) { try await exchange($0, sending: bytes) }
        #expect(back == bytes)
        let record = try #require(await edge.firstRecord())
        #expect(record.received == bytes)
        #expect(record.closeCode == 1000)
        #expect(record.head.hasPrefix("GET / HTTP/1.1\r\nHost: rdp.localhost:\(edge.port)\r\nUser-Agent: cloudflared/"))
        try await edge.stop()
    }

    @Test func `text in fragments with pings between arrives as bytes, and the pings are answered`() async throws {
        let edge = try await FakeEdge.start(.echoInFragments)
        let bytes = patternBytes(50)
        let back = try await listening(try configuration(edge)) { try await exchange($0, sending: bytes) }
        #expect(back == bytes)
        let record = try #require(await edge.firstRecord())
        #expect(record.pongs == 1 || record.closeCode == 1000)
        try await edge.stop()
    }

    @Test func `after the local end the answer is still drained`() async throws {
        let answer = patternBytes(1 << 20, seed: 4)
        let edge = try await FakeEdge.start(.answerAfterEnd(answer))
        let question = ByteBuffer(string: "question")
        let got = try await listening(try configuration(edge)) { try await exchange($0, sending: question) }
        #expect(got == answer)
        #expect(await edge.firstRecord()?.received == question)
        try await edge.stop()
    }

    @Test func `what comes right behind the 101 is not lost, and the edge's end leaves our direction open`()
        async throws
    {
        let greeting = patternBytes(3000, seed: 5)
        let edge = try await FakeEdge.start(.sendAndEnd(greeting))
        let upload = patternBytes(100_000, seed: 6)
        try await listening(try configuration(edge)) { address in
            let got = try await exchange(address, sending: upload, afterPeerEnded: true)
            #expect(got == greeting)
            let record = try #require(await edge.firstRecord())
            #expect(record.received == upload)
            #expect(record.closeCode == 1000)
        }
        try await edge.stop()
    }

    @Test func `an edge that stays silent after our end is left when the linger time is over`() async throws {
        let edge = try await FakeEdge.start(.deaf)
        var configuration = try configuration(edge)
        configuration.linger = .milliseconds(1)
        let got = try await listening(configuration) { try await exchange($0, sending: ByteBuffer(string: "x")) }
        #expect(got.readableBytes == 0)
        #expect(await edge.firstRecord()?.closeCode == 1000)
        try await edge.stop()
    }

    @Test(
        arguments: [([0x82, 0x7E, 0x40, 0x01], 1009), ([0xF2, 0x00], 1002), ([0x82, 0x81, 1, 2, 3, 4, 5], 1002)]
            as [([UInt8], UInt16)])
    func `a broken or oversized frame ends that connection with its code`(bytes: [UInt8], code: UInt16) async throws {
        let edge = try await FakeEdge.start(.raw(bytes))
        var configuration = try configuration(edge)
        configuration.webSocket.maximumMessage = 16_384
        try await listening(configuration) { address in
            let pipe = try await connect(address)
            let received = try await SocketPeer.start(pipe, sending: ByteBuffer(), afterPeerEnded: true).get()
            #expect(received.readableBytes <= 1)
            #expect(await edge.firstRecord()?.closeCode == code)
        }
        try await edge.stop()
    }

    @Test func `several connections share the listener, within the limit`() async throws {
        let edge = try await FakeEdge.start(.echo)
        var configuration = try configuration(edge)
        configuration.maximumConnections = 2
        let sum = try await listening(configuration) { address in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for seed in 0..<12 {
                    group.addTask {
                        let bytes = patternBytes(20_000, seed: UInt8(seed))
                        return try await exchange(address, sending: bytes) == bytes ? 1 : 0
                    }
                }
                return try await group.reduce(0, +)
            }
        }
        #expect(sum == 12)
        try await edge.stop()
    }

    @Test func `stopping leaves open WebSockets with 1001`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let pipe = try await listening(try configuration(edge)) { address in
            let pipe = try await connect(address)
            let echoed = SocketPeer.firstBytes(of: pipe, afterSending: ByteBuffer(string: "hello"))
            #expect(try await echoed.get() == ByteBuffer(string: "hello"))
            return pipe
        }
        #expect(await edge.firstRecord()?.closeCode == 1001)
        _ = pipe
        try await edge.stop()
    }

    @Test func `stopping while the edge keeps silent is prompt`() async throws {
        let edge = try await FakeEdge.start(.silent)
        try await listening(try configuration(edge)) { address in
            _ = try await connect(address)
        }
        try await edge.stop()
    }

    // MARK: Standard input and output

    @Test func `standard input and output are one connection`() async throws {
        let edge = try await FakeEdge.start(.echo)
        #expect(try await standardIO(try configuration(edge), input: "SSH-2.0-test\r\n") == "SSH-2.0-test\r\n")
        try await edge.stop()
    }

    @Test func `files and devices serve as standard input and output too`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let folder = FileManager.default.temporaryDirectory
        let source = folder.appendingPathComponent("in-\(UUID().uuidString)")
        let target = folder.appendingPathComponent("out-\(UUID().uuidString)")
        let bytes = Data(patternBytes(300_000).readableBytesView)
        try bytes.write(to: source)
        try Data().write(to: target)
        let input = try FileHandle(forReadingFrom: source)
        let output = try FileHandle(forWritingTo: target)
        try await Forwarder(try configuration(edge), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            .runStandardIO(input: input.fileDescriptor, output: output.fileDescriptor)
        #expect(try Data(contentsOf: target) == bytes)
        let null = try #require(FileHandle(forReadingAtPath: "/dev/null"))
        try await Forwarder(try configuration(edge), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            .runStandardIO(input: null.fileDescriptor, output: output.fileDescriptor)
        try await edge.stop()
    }

    @Test func `the parent's descriptors keep their flags`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let input = Pipe()
        try input.fileHandleForWriting.close()
        let output = Pipe()
        let before = fcntl(output.fileHandleForWriting.fileDescriptor, F_GETFL)
        try await Forwarder(try configuration(edge), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            .runStandardIO(
                input: input.fileHandleForReading.fileDescriptor, output: output.fileHandleForWriting.fileDescriptor)
        #expect(fcntl(output.fileHandleForWriting.fileDescriptor, F_GETFL) == before)
        try await edge.stop()
    }

    // MARK: Refusals

    @Test(arguments: [
        (
            "HTTP/1.1 302 Found\r\nLocation: https://t.example/cdn-cgi/access/login/h\r\nContent-Length: 0\r\n\r\n",
            AccessError.Code.loginRequired
        ),
        ("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nno way", .denied),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", .unavailable),
        ("HTTP/1.1 530 x\r\n\r\n", .unavailable),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", .notWebSocket),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\ncut short", .denied),
        ("SSH-2.0-OpenSSH_9.2\r\n", .notWebSocket), ("\u{0}\u{1}\u{2}garbage\r\n\r\n", .notWebSocket),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", .notWebSocket),
        ("HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 70_000) + "\r\n\r\n", .notWebSocket),
        ("HTTP/1.1 200 OK\r\nX: unfinished", .notWebSocket), ("", .connectionLost),
    ])
    func `every refusal and any garbage is told with its own error`(answer: String, code: AccessError.Code) async throws
    {
        let edge = try await FakeEdge.start(.respond(answer))
        let error = await refusal(try configuration(edge))
        #expect(error?.code == code, "\(error.map { "\($0)" } ?? "none")")
        try await edge.stop()
    }

    @Test func `the body's line is shown for a 403`() async throws {
        let edge = try await FakeEdge.start(
            .respond("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nno policy"))
        let error = await refusal(try configuration(edge))
        #expect(error?.message.contains("no policy") ?? false)
        try await edge.stop()
    }

    @Test func `a wrong accept value is no WebSocket`() async throws {
        let edge = try await FakeEdge.start(.wrongAccept)
        #expect(await refusal(try configuration(edge))?.code == .notWebSocket)
        try await edge.stop()
    }

    @Test func `a silent edge runs into the deadline, which names the step`() async throws {
        let edge = try await FakeEdge.start(.silent)
        var configuration = try configuration(edge)
        configuration.handshakeTimeout = .seconds(2)
        let error = await refusal(configuration)
        #expect(error?.code == .timedOut)
        #expect(error?.message.contains("did not answer the WebSocket request") ?? false, "\(error?.message ?? "")")
        #expect(error?.exitCode == .unavailable)
        try await edge.stop()
    }

    @Test func `a port that accepts and says nothing runs into the deadline of TLS`() async throws {
        let mute = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let edge = try await FakeEdge.start(.silent)
        var configuration = try configuration(edge, hostname: "rdp.localhost:\(mute.localAddress?.port ?? 0)")
        configuration.handshakeTimeout = .milliseconds(300)
        let error = await refusal(configuration)
        #expect(error?.code == .timedOut)
        #expect(error?.message.contains("did not complete TLS") ?? false)
        try await mute.close().get()
        try await edge.stop()
    }

    @Test func `certificates are checked, for authority and for name`() async throws {
        let edge = try await FakeEdge.start(.echo)
        var stranger = try configuration(edge, environment: ["SSL_CERT_FILE": "", "SSL_CERT_DIR": ""])
        let untrusted = await refusal(stranger)
        #expect(untrusted?.code == .untrusted)
        #expect(untrusted?.message.contains("--cacert") ?? false)
        stranger.authorityFiles = [try TestCertificates.shared.get().authority]
        #expect(try await standardIO(stranger, input: "hi") == "hi")
        let other = try await FakeEdge.start(.echo, certificate: \.otherCertificate)
        let misnamed = await refusal(try configuration(other))
        #expect(misnamed?.code == .untrusted)
        #expect(misnamed?.message.contains("is not for rdp.localhost") ?? false, "\(misnamed?.message ?? "")")
        try await edge.stop()
        try await other.stop()
    }

    @Test func `an address is checked against the certificate as an address`() async throws {
        let edge = try await FakeEdge.start(.echo)
        #expect(try await standardIO(try configuration(edge, hostname: "127.0.0.1:\(edge.port)"), input: "hi") == "hi")
        try await edge.stop()
    }

    @Test func `connect-to dials elsewhere, keeps the host, and still checks the certificate`() async throws {
        let edge = try await FakeEdge.start(.echo)
        var configuration = try configuration(edge, hostname: "rdp.example.com/path")
        configuration.connectTo = try ConnectTo.parse("edge.test:\(edge.port):127.0.0.1")
        #expect(try await standardIO(configuration, input: "hi") == "hi")
        #expect(await edge.firstRecord()?.head.hasPrefix("GET /path HTTP/1.1\r\nHost: rdp.example.com\r\n") ?? false)
        // The certificate is also for 127.0.0.1, which is dialled; that does not make it good for another name.
        configuration.connectTo = try ConnectTo.parse("wrong.test:\(edge.port):127.0.0.1")
        #expect(await refusal(configuration)?.code == .untrusted)
        try await edge.stop()
    }

    @Test func `hosts that refuse, do not exist or speak no TLS each have their error`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let closed = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let port = closed.localAddress?.port ?? 0
        try await closed.close().get()
        let refused = await refusal(try configuration(edge, hostname: "rdp.localhost:\(port)"))
        #expect(refused?.code == .unreachable)
        #expect(refused?.message.contains("refused") ?? false)
        let missing = await refusal(try configuration(edge, hostname: "no-such-host.invalid"))
        #expect(missing?.code == .nameNotResolved)
        let plain = try await FakeProxy.start(
            target: nil, rounds: [(end: { _ in true }, answer: [UInt8]("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))])
        let clear = await refusal(try configuration(edge, hostname: "rdp.localhost:\(plain.port)"))
        #expect(clear?.code == .tls)
        #expect(clear?.message.contains("does not speak TLS") ?? false, "\(clear?.message ?? "")")
        try await plain.stop()
        try await edge.stop()
    }

    @Test func `authority files that cannot be read stop the start by name`() async throws {
        let edge = try await FakeEdge.start(.echo)
        var configuration = try configuration(edge)
        configuration.authorityFiles = ["/nonexistent/ca.pem"]
        let error = await refusal(configuration)
        #expect(error?.code == .configuration)
        #expect(error?.message.contains("/nonexistent/ca.pem") ?? false)
        #expect(error?.exitCode == .configuration)
        configuration.authorityFiles = []
        configuration.environment = ["SSL_CERT_DIR": "/nonexistent"]
        #expect(await refusal(configuration)?.code == .configuration)
        try await edge.stop()
    }

    @Test func `a taken port is told and how to see who has it`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let taken = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        var configuration = try configuration(edge)
        configuration.listen = ListenAddress(host: "127.0.0.1", port: taken.localAddress?.port ?? 0)
        let error = await #expect(throws: AccessError.self) {
            try await Forwarder(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }).run()
        }
        #expect(error?.code == .listen)
        #expect(error?.message.contains("lsof -nP -iTCP:") ?? false)
        try await taken.close().get()
        try await edge.stop()
    }

    @Test func `a refused connection is logged without secrets and the listener goes on`() async throws {
        let edge = try await FakeEdge.start(.respond("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"))
        var configuration = try configuration(edge)
        configuration.serviceTokenID = "my-id.access"
        configuration.serviceTokenSecret = Secret("s3cret")
        let lines = LogLines()
        var logger = Logger(label: "test") { _ in lines }
        logger.logLevel = .trace
        try await listening(configuration, logger: logger) { address in
            for _ in 0..<2 {
                let got = try await exchange(address, sending: ByteBuffer())
                #expect(got.readableBytes == 0)
            }
        }
        let text = lines.all.joined(separator: "\n")
        #expect(lines.all.first?.hasPrefix("Start Websocket listener host=127.0.0.1:") ?? false)
        #expect(lines.all.filter { $0.hasPrefix("failed to connect to origin") }.count == 2)
        #expect(text.contains("originURL=https://rdp.localhost:\(edge.port)"))
        #expect(text.contains("policy denied"))
        #expect(!text.contains("s3cret") && !text.contains("my-id"))
        try await edge.stop()
    }

    // MARK: Proxies

    private static let endOfHead: @Sendable ([UInt8]) -> Bool = { $0.suffix(4) == [13, 10, 13, 10] }

    @Test func `an HTTP proxy is asked to CONNECT, with its credentials`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let proxy = try await FakeProxy.start(
            target: edge.port,
            rounds: [(end: Self.endOfHead, answer: [UInt8]("HTTP/1.1 200 Connection established\r\n\r\n".utf8))])
        let configuration = try configuration(
            edge, hostname: "edge.test:8443", environment: ["HTTPS_PROXY": "http://user:pw@127.0.0.1:\(proxy.port)"])
        #expect(try await standardIO(configuration, input: "through") == "through")
        let request = await proxy.requests(1).first ?? []
        #expect(
            String(decoding: request, as: UTF8.self)
                == "CONNECT edge.test:8443 HTTP/1.1\r\nHost: edge.test:8443\r\nUser-Agent: cloudflared/\(Version.current)\r\n"
                + "Proxy-Authorization: Basic dXNlcjpwdw==\r\n\r\n")
        try await proxy.stop()
        try await edge.stop()
    }

    @Test func `a SOCKS5 proxy resolves the name`() async throws {
        let edge = try await FakeEdge.start(.echo)
        let proxy = try await FakeProxy.start(
            target: edge.port,
            rounds: [
                (end: { $0.count == 3 }, answer: [5, 0]),
                (end: { $0.count == 16 }, answer: [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
            ])
        let configuration = try configuration(
            edge, hostname: "edge.test", environment: ["https_proxy": "socks5://127.0.0.1:\(proxy.port)"])
        #expect(try await standardIO(configuration, input: "through") == "through")
        #expect(await proxy.requests(2) == [[5, 1, 0], [5, 1, 0, 3, 9] + "edge.test".utf8 + [1, 187]])
        try await proxy.stop()
        try await edge.stop()
    }

    @Test(arguments: [
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 403 x\r\n\r\n",
        "garbage\r\n\r\n",
    ])
    func `a proxy that refuses is named, without its credentials`(answer: String) async throws {
        let edge = try await FakeEdge.start(.echo)
        let proxy = try await FakeProxy.start(
            target: nil, rounds: [(end: Self.endOfHead, answer: [UInt8](answer.utf8))])
        let error = await refusal(
            try configuration(
                edge, hostname: "edge.test", environment: ["HTTPS_PROXY": "http://user:s3cret@127.0.0.1:\(proxy.port)"])
        )
        #expect(error?.code == .proxy)
        #expect(error.map { "\($0)".contains("127.0.0.1:\(proxy.port)") && !"\($0)".contains("s3cret") } ?? false)
        try await proxy.stop()
        try await edge.stop()
    }
}

/// Keeps what is logged: the message and its metadata on one line.
private final class LogLines: LogHandler, Sendable {
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
