package import NIOCore
import NIOPosix

/// A name server on loopback, UDP and TCP on the same port, whose answers a test makes up: any bytes.
package final class DNSResponder: Sendable {
    /// Gets a question; what it returns is sent, each as one message.
    package typealias Answer = @Sendable (_ question: [UInt8], _ isTCP: Bool) -> [[UInt8]]

    package let address: String
    private let channels: [any Channel]

    private init(_ channels: [any Channel], address: String) {
        self.channels = channels
        self.address = address
    }

    @discardableResult
    package static func run<Result>(
        _ answer: @escaping Answer, _ test: (DNSResponder) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup.singleton
        let stream = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(StreamAnswers(answer))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = stream.localAddress?.port ?? 0
        let datagrams = try await DatagramBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramAnswers(answer))
                }
            }.bind(host: "127.0.0.1", port: port).get()
        let responder = DNSResponder([stream, datagrams], address: "127.0.0.1:\(port)")
        do {
            let result = try await test(responder)
            await responder.close()
            return result
        } catch {
            await responder.close()
            throw error
        }
    }

    private func close() async {
        for channel in channels { try? await channel.close() }
    }

    private final class DatagramAnswers: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        private let answer: Answer

        init(_ answer: @escaping Answer) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let question = unwrapInboundIn(data)
            for message in answer(Array(question.data.readableBytesView), false) {
                let envelope = AddressedEnvelope(
                    remoteAddress: question.remoteAddress, data: ByteBuffer(bytes: message))
                context.writeAndFlush(wrapOutboundOut(envelope), promise: nil)
            }
        }
    }
}

/// Answers questions with their length before them.
package final class StreamAnswers: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer
    private let answer: DNSResponder.Answer
    private var buffer = ByteBuffer()

    package init(_ answer: @escaping DNSResponder.Answer) { self.answer = answer }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        buffer.writeImmutableBuffer(unwrapInboundIn(data))
        while let question = buffer.readLengthPrefixedSlice(as: UInt16.self) {
            for message in answer(Array(question.readableBytesView), true) {
                var bytes = ByteBuffer(integer: UInt16(truncatingIfNeeded: message.count))
                bytes.writeBytes(message)
                context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
            }
        }
    }
}

// MARK: - Messages

/// The parts of a DNS message, put together by hand: what a name server says must not come from the code under test.
package enum DNSMessage {
    package static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    package static func big(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xff), UInt8(value & 0xff)] }

    /// The name and type that a question asks for.
    package static func asked(_ question: [UInt8]) -> (name: String, type: Int) {
        var labels: [String] = []
        var index = 12
        while index < question.count, question[index] > 0 {
            let end = index + 1 + Int(question[index])
            labels.append(String(decoding: question[(index + 1)..<end], as: UTF8.self))
            index = end
        }
        return (labels.joined(separator: "."), Int(question[index + 1]) << 8 | Int(question[index + 2]))
    }

    package static func record(_ owner: [UInt8], _ type: Int, _ data: [UInt8]) -> [UInt8] {
        owner + big(type) + big(1) + [0, 0, 0, 60] + big(data.count) + data
    }

    package static func srv(_ owner: String, _ priority: Int, _ weight: Int, _ port: Int, _ target: String) -> [UInt8] {
        record(name(owner), 33, big(priority) + big(weight) + big(port) + name(target))
    }

    /// - Parameters:
    ///   - flags: the low half: 0 is no error, 3 is a name that does not exist.
    package static func answer(
        to question: [UInt8], _ records: [[UInt8]], code: UInt8 = 0, isTruncated: Bool = false, id: [UInt8]? = nil
    ) -> [UInt8] {
        (id ?? Array(question.prefix(2))) + [isTruncated ? 0x83 : 0x81, 0x80 | code] + big(1) + big(records.count)
            + [0, 0, 0, 0] + Array(question.dropFirst(12)) + records.joined()
    }
}
