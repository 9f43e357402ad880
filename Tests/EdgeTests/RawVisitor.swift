import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// A visitor that writes bytes of its own choice over TLS (or not), and looks at the bytes that come back.
// Safety: all state is touched on the event loop only.
final class RawVisitor: @unchecked Sendable {
    let channel: any Channel
    private let inbox: Inbox

    private init(channel: any Channel, inbox: Inbox) {
        self.channel = channel
        self.inbox = inbox
    }

    static func connect(port: Int, serverName: String?, authorityFile: String?) async throws -> RawVisitor {
        var context: NIOSSLContext?
        if let authorityFile {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorityFile))
            configuration.applicationProtocols = ["http/1.1"]
            context = try NIOSSLContext(configuration: configuration)
        }
        let tls = context
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let inbox = Inbox(eventLoop)
        let channel = try await ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: serverName))
                    }
                    try channel.pipeline.syncOperations.addHandler(inbox)
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawVisitor(channel: channel, inbox: inbox)
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    func send(_ bytes: ByteBuffer) async throws {
        try await channel.writeAndFlush(bytes).get()
    }

    /// Waits until `text` has come `times` times, and gives all that came.
    func received(_ text: String, times: Int = 1) async throws -> String {
        try await inbox.wait { String(buffer: $0).components(separatedBy: text).count > times }
    }

    func received(bytes count: Int) async throws -> String {
        try await inbox.wait { $0.readableBytes >= count }
    }

    /// Waits until the edge has closed the connection, and gives all that came.
    func end() async throws -> String {
        try? await channel.closeFuture.get()
        return try await channel.eventLoop.submit { self.inbox.text }.get()
    }

    /// The same, as they are.
    func endBytes() async throws -> [UInt8] {
        try? await channel.closeFuture.get()
        return try await channel.eventLoop.submit { self.inbox.all }.get()
    }

    func close() async throws {
        try? await channel.close()
    }

    struct Ended: Error {
        let received: String
    }

    private final class Inbox: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer
        private let eventLoop: any EventLoop
        private var bytes = ByteBuffer()
        private var waiting: [(condition: (ByteBuffer) -> Bool, promise: EventLoopPromise<String>)] = []
        private var isEnded = false

        init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

        var text: String { String(buffer: bytes) }
        var all: [UInt8] { Array(bytes.readableBytesView) }

        func wait(_ condition: @escaping @Sendable (ByteBuffer) -> Bool) async throws -> String {
            try await eventLoop.flatSubmit {
                let promise = self.eventLoop.makePromise(of: String.self)
                self.waiting.append((condition, promise))
                self.check()
                return promise.futureResult
            }.get()
        }

        private func check() {
            waiting.removeAll { entry in
                if entry.condition(bytes) {
                    entry.promise.succeed(text)
                } else if isEnded {
                    entry.promise.fail(Ended(received: text))
                } else {
                    return false
                }
                return true
            }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes.writeImmutableBuffer(unwrapInboundIn(data))
            check()
        }

        func channelInactive(context: ChannelHandlerContext) {
            isEnded = true
            check()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

/// What curl saw.
struct CurlAnswer: Sendable {
    /// Exit code of curl; 0 for a complete answer.
    let exit: Int32
    let status: Int
    let version: String
    /// Head lines and body, as curl prints them.
    let head: String
    let body: Data

    var text: String { String(decoding: body, as: UTF8.self) }

    /// Where a test lets curl read and write. Own directory per call, removed at its end.
    static func run(_ arguments: [String], input: Data?) async throws -> CurlAnswer {
        let directory = FileManager.default.temporaryDirectory.appending(path: "edge-curl-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let (head, body) = (directory.appending(path: "head"), directory.appending(path: "body"))
        let output = directory.appending(path: "out")
        _ = FileManager.default.createFile(atPath: output.path, contents: nil)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        var all = [
            "--silent", "--http1.1", "--dump-header", head.path, "--output", body.path, "--write-out",
            "%{http_code} %{http_version}",
        ]
        if let input {
            let file = directory.appending(path: "in")
            try input.write(to: file)
            all += ["--data-binary", "@\(file.path)"]
        }
        process.arguments = all + arguments
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        let ended = AsyncStream<Int32> { continuation in
            process.terminationHandler = {
                continuation.yield($0.terminationStatus)
                continuation.finish()
            }
        }
        try process.run()
        var exit: Int32 = -1
        for await status in ended { exit = status }
        let report = try String(contentsOf: output, encoding: .utf8).split(separator: " ")
        return CurlAnswer(
            exit: exit, status: report.first.flatMap { Int($0) } ?? 0, version: report.last.map(String.init) ?? "",
            head: (try? String(contentsOf: head, encoding: .utf8)) ?? "", body: (try? Data(contentsOf: body)) ?? Data())
    }
}
