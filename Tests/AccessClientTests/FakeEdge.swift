import ByteStream
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// A TLS server that plays the edge by a script, and remembers what it was told. One script for all its connections.
final class FakeEdge: Sendable {
    enum Script: Sendable {
        /// Sends every message back.
        case echo
        /// The same as text, in fragments with a ping between them.
        case echoInFragments
        /// Waits for the client's end, then sends this, its own close frame, and ends.
        case answerAfterEnd(ByteBuffer)
        /// Sends this and a close frame in one go with the 101, then listens to the end.
        case sendAndEnd(ByteBuffer)
        /// Sends these bytes after the 101.
        case raw([UInt8])
        /// Answers with this text instead of an upgrade, and closes.
        case respond(String)
        /// Says nothing.
        case silent
        /// Upgrades, takes everything, and never says a word again, not even to a close frame.
        case deaf
        /// Upgrades without the right `Sec-WebSocket-Accept`.
        case wrongAccept
    }

    /// What one connection brought, told when it ended.
    struct Record: Sendable {
        var head = ""
        var received = ByteBuffer()
        var closeCode: UInt16?
        var pongs = 0
    }

    let port: Int
    let records: AsyncStream<Record>
    private let listener: any Channel

    static func start(_ script: Script, certificate: KeyPath<TestCertificates, String> = \.certificate) async throws
        -> FakeEdge
    {
        let files = try TestCertificates.shared.get()
        let chain = try NIOSSLCertificate.fromPEMFile(files[keyPath: certificate]).map {
            NIOSSLCertificateSource.certificate($0)
        }
        let key = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))
        let tls = try NIOSSLContext(configuration: .makeServerConfiguration(certificateChain: chain, privateKey: key))
        let (records, told) = AsyncStream.makeStream(of: Record.self)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLServerHandler(context: tls), Connection(script) { told.yield($0) })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeEdge(listener: listener, port: listener.localAddress?.port ?? 0, records: records)
    }

    private init(listener: any Channel, port: Int, records: AsyncStream<Record>) {
        self.listener = listener
        self.port = port
        self.records = records
    }

    func firstRecord() async -> Record? {
        for await record in records { return record }
        return nil
    }

    func stop() async throws {
        try await listener.close().get()
    }

    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let script: Script
        private let tell: (Record) -> Void
        private var record = Record()
        private var isOpen = false
        private var isTold = false
        private var parser = WebSocketFrameParser(role: .server, maximumMessage: 16_384)
        private let encoder = WebSocketFrameEncoder(role: .server)

        init(_ script: Script, tell: @escaping (Record) -> Void) {
            self.script = script
            self.tell = tell
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            if isOpen {
                try? parser.parse(bytes) { handle($0, context) }
                return
            }
            record.head += bytes.readString(length: bytes.readableBytes) ?? ""
            if record.head.hasSuffix("\r\n\r\n") { answer(context) }
        }

        private func answer(_ context: ChannelHandlerContext) {
            switch script {
            case .silent:
                return
            case .respond(let text):
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
                context.close(promise: nil)
                return
            default:
                break
            }
            let key =
                record.head.components(separatedBy: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") }?.dropFirst(19)
                ?? ""
            var accept = WebSocketHandshake.accept(forKey: String(key))
            if case .wrongAccept = script { accept = "AAAA" + accept.dropFirst(4) }
            var out = ByteBuffer(
                string:
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n\r\n"
            )
            isOpen = true
            if case .raw(let bytes) = script { out.writeBytes(bytes) }
            if case .sendAndEnd(let bytes) = script {
                out.writeImmutableBuffer(encoder.binary(bytes))
                out.writeImmutableBuffer(encoder.close(code: 1000))
            }
            context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        }

        private func handle(_ event: WebSocketEvent, _ context: ChannelHandlerContext) {
            switch event {
            case .data(var data):
                record.received.writeImmutableBuffer(data)
                if case .echo = script { context.writeAndFlush(wrapOutboundOut(encoder.binary(data)), promise: nil) }
                if case .echoInFragments = script {
                    var out = ByteBuffer()
                    out.writeBytes([0x01, 0x00, 0x89, 0x01, 0x70])
                    while let byte = data.readBytes(length: 1) { out.writeBytes([0x00, 0x01] + byte) }
                    out.writeBytes([0x80, 0x00])
                    context.writeAndFlush(wrapOutboundOut(out), promise: nil)
                }
            case .ping: break
            case .pong: record.pongs += 1
            case .close(let code):
                record.closeCode = code
                if case .deaf = script { return }
                if case .answerAfterEnd(let bytes) = script {
                    context.write(wrapOutboundOut(encoder.binary(bytes)), promise: nil)
                }
                context.writeAndFlush(wrapOutboundOut(encoder.close(code: code ?? 1005)), promise: nil)
            }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            guard !isTold else { return }
            isTold = true
            tell(record)
        }
    }
}

/// A proxy that opens a way to one port of this machine, whatever name it is asked for, and remembers the request.
final class FakeProxy: Sendable {
    let port: Int
    let requests: AsyncStream<[UInt8]>
    private let listener: any Channel

    /// - Parameters:
    ///   - target: port to which the way leads.
    ///   - rounds: for each request that comes in, a marker that ends it (or its length) and the answer; the way opens
    ///     after the last one. Nil: the connection is closed after the last answer.
    static func start(target: Int?, rounds: [(end: @Sendable ([UInt8]) -> Bool, answer: [UInt8])]) async throws
        -> FakeProxy
    {
        let (requests, told) = AsyncStream.makeStream(of: [UInt8].self)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipe = try ChannelPipe.install(on: channel)
                    let greeter = Greeter(pipe, target: target, rounds: rounds) { told.yield($0) }
                    channel.eventLoop.execute { greeter.start() }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeProxy(listener: listener, port: listener.localAddress?.port ?? 0, requests: requests)
    }

    private init(listener: any Channel, port: Int, requests: AsyncStream<[UInt8]>) {
        self.listener = listener
        self.port = port
        self.requests = requests
    }

    func requests(_ count: Int) async -> [[UInt8]] {
        var all: [[UInt8]] = []
        for await request in requests {
            all.append(request)
            if all.count == count { break }
        }
        return all
    }

    func stop() async throws {
        try await listener.close().get()
    }

    // Safety: used on the event loop of its pipe only.
    private final class Greeter: BytePipeSink, @unchecked Sendable {
        private let pipe: ChannelPipe
        private let target: Int?
        private var rounds: [(end: @Sendable ([UInt8]) -> Bool, answer: [UInt8])]
        private let tell: (([UInt8]) -> Void)
        private var request: [UInt8] = []

        init(
            _ pipe: ChannelPipe, target: Int?, rounds: [(end: @Sendable ([UInt8]) -> Bool, answer: [UInt8])],
            tell: @escaping ([UInt8]) -> Void
        ) {
            self.pipe = pipe
            self.target = target
            self.rounds = rounds
            self.tell = tell
        }

        func start() {
            pipe.attach(self)
            pipe.read()
        }

        func pipeReceived(_ bytes: ByteBuffer) {
            request += Array(bytes.readableBytesView)
            guard let round = rounds.first, round.end(request) else { return }
            tell(request)
            request = []
            rounds.removeFirst()
            pipe.write(ByteBuffer(bytes: round.answer))
            pipe.flush()
            if rounds.isEmpty { open() }
        }

        private func open() {
            guard let target else {
                pipe.abort()
                return
            }
            let ours = pipe
            ClientBootstrap(group: pipe.eventLoop).channelOption(.autoRead, value: false)
                .connect(host: "127.0.0.1", port: target)
                .assumeIsolated().whenSuccess { channel in
                    if let theirs = try? ChannelPipe.install(on: channel) { Splice.join(ours, theirs) }
                }
        }

        func pipeReadCompleted() { if !rounds.isEmpty { pipe.read() } }
        func pipeFinished(trailers: HTTPHeaders?) {}
        func pipeWritabilityChanged() {}
        func pipeClosed(_ error: (any Error)?) {}
    }
}
