import ByteStream
package import NIOCore
import NIOPosix
package import NIOSSL

/// Asks a name server over TLS (RFC 7858), for hosts whose own name service fails: a broken resolver and one that is
/// meddled with look the same. A value; each call makes a connection of its own.
package struct DNSOverTLS: Sendable {
    /// Where the official client asks (tunnel-protocol section 1.1).
    package static let serverAddress = "1.1.1.1"
    package static let serverName = "cloudflare-dns.com"

    private let server: SocketAddress
    private let tls: NIOSSLContext
    private let group: any EventLoopGroup
    private let timeout: TimeAmount

    /// - Parameters:
    ///   - server: 1.1.1.1 but in tests.
    ///   - tls: what to trust; the certificate must be for `serverName`.
    ///   - timeout: for one call, from the connection to the last answer.
    package init(
        server: SocketAddress, tls: NIOSSLContext, group: any EventLoopGroup, timeout: TimeAmount = .seconds(15)
    ) {
        self.server = server
        self.tls = tls
        self.group = group
        self.timeout = timeout
    }

    /// The servers of a service, in the order of the answer.
    ///
    /// - Throws: `NameError`, or `CancellationError`.
    package func services(of name: String) async throws -> [ServiceRecord] {
        let answers = try await exchange([try DNSQuestion.bytes(name, .service, id: Self.firstID())])
        return try DNSAnswer(answers[0], to: name).services
    }

    /// The addresses of a host, IPv4 first; at least one.
    ///
    /// - Throws: `NameError`, or `CancellationError`.
    package func addresses(of host: String, port: Int) async throws -> [SocketAddress] {
        let id = Self.firstID()
        let answers = try await exchange([
            try DNSQuestion.bytes(host, .v4, id: id), try DNSQuestion.bytes(host, .v6, id: id &+ 1),
        ])
        let v6 = (try? DNSAnswer(answers[1], to: host).v6(port: port)) ?? []
        do {
            return try DNSAnswer(answers[0], to: host).v4(port: port) + v6
        } catch {
            guard !v6.isEmpty else { throw error }
            return v6
        }
    }

    private static func firstID() -> UInt16 { UInt16.random(in: .min ... .max) }

    /// Sends the questions over one connection.
    /// - Returns: an answer to each, in their order.
    private func exchange(_ questions: [[UInt8]]) async throws -> [[UInt8]] {
        let eventLoop = group.next()
        let promise = eventLoop.makePromise(of: [[UInt8]].self)
        let (tls, timeout) = (tls, timeout)
        let connecting = ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        try ServerIdentity.tlsHandler(tls, serverName: Self.serverName),
                        DNSExchange(questions, timeout: timeout, answered: promise))
                }
            }
            .connect(to: server)
        // Where the handler was never made, nobody else ends the promise.
        connecting.whenFailure { promise.fail($0) }
        do {
            return try await withTaskCancellationHandler {
                try await promise.futureResult.get()
            } onCancel: {
                promise.fail(CancellationError())
            }
        } catch let error as NameError {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw NameError(
                .unreachable,
                "\(Self.serverName) (\(ErrorWords.text(of: server))) did not answer: \(ErrorWords.of(error))")
        }
    }
}

/// Messages with their length before them, on one connection (RFC 1035 section 4.2.2); answers may come in any order.
/// Lives until the last one came or the time is over, then closes the connection.
final class DNSExchange: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let questions: [[UInt8]]
    private let timeout: TimeAmount
    private let answered: EventLoopPromise<[[UInt8]]>
    private var answers: [Int: [UInt8]] = [:]
    private var buffer = ByteBuffer()
    private var timer: Scheduled<Void>?

    init(_ questions: [[UInt8]], timeout: TimeAmount, answered: EventLoopPromise<[[UInt8]]>) {
        self.questions = questions
        self.timeout = timeout
        self.answered = answered
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [answered] in
            answered.fail(NameError(.unreachable, "\(DNSOverTLS.serverName) did not answer in time"))
        }
        // Whatever the end is: an answer, the time, a cancellation.
        answered.futureResult.whenComplete { _ in channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        answered.fail(ChannelError.eof)
    }

    func channelActive(context: ChannelHandlerContext) {
        var bytes = ByteBuffer()
        for question in questions {
            bytes.writeInteger(UInt16(truncatingIfNeeded: question.count))
            bytes.writeBytes(question)
        }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        buffer.writeImmutableBuffer(unwrapInboundIn(data))
        while let message = buffer.readLengthPrefixedSlice(as: UInt16.self) {
            let id = message.getBytes(at: message.readerIndex, length: 2)
            guard let index = questions.firstIndex(where: { Array($0.prefix(2)) == id }), answers[index] == nil else {
                answered.fail(NameError(.badAnswer, "\(DNSOverTLS.serverName) answered what was not asked"))
                return
            }
            answers[index] = Array(message.readableBytesView)
        }
        guard answers.count == questions.count else { return }
        answered.succeed(questions.indices.compactMap { answers[$0] })
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answered.fail(error)
    }
}
