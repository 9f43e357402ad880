import Access
import ByteStream
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A `TeamDouble` behind TLS on loopback, under names below localhost. Who upgrades with a token that counts gets every
/// message back.
package final class TeamServer: Sendable {
    package let team: TeamDouble
    package let port: Int
    private let listener: any Channel

    package static func start() async throws -> TeamServer {
        let tls = try TestCertificates.shared.get().server(.valid)
        // Its names carry the port, so it comes after the listener.
        let late = Late()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLServerHandler(context: tls), Connection(late))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress?.port ?? 0
        let team = try TeamDouble(port: port)
        late.team.withLock { $0 = team }
        return TeamServer(team: team, port: port, listener: listener)
    }

    private init(team: TeamDouble, port: Int, listener: any Channel) {
        self.team = team
        self.port = port
        self.listener = listener
    }

    package func stop() async throws {
        try await listener.close().get()
    }

    private final class Late: Sendable {
        let team = Mutex<TeamDouble?>(nil)
    }

    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let late: Late
        private var text = ""
        private var isOpen = false
        private var parser = WebSocketFrameParser(role: .server, maximumMessage: 16_384)
        private let encoder = WebSocketFrameEncoder(role: .server)

        init(_ late: Late) { self.late = late }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            if isOpen {
                try? parser.parse(bytes) { event in
                    switch event {
                    case .data(let data): context.write(wrapOutboundOut(encoder.binary(data)), promise: nil)
                    case .close(let code):
                        context.write(wrapOutboundOut(encoder.close(code: code ?? 1005)), promise: nil)
                    case .ping, .pong: break
                    }
                }
                context.flush()
                return
            }
            text += bytes.readString(length: bytes.readableBytes) ?? ""
            guard let end = text.range(of: "\r\n\r\n") else { return }
            let lines = text[..<end.lowerBound].split(separator: "\r\n")
            var headers = HTTPHeaders()
            for line in lines.dropFirst() {
                guard let colon = line.firstIndex(of: ":") else { continue }
                headers.add(name: String(line[..<colon]), value: String(line[line.index(colon, offsetBy: 2)...]))
            }
            let body = Array(text[end.upperBound...].utf8)
            guard body.count >= headers.first(name: "content-length").flatMap(Int.init) ?? 0 else { return }
            text = ""
            answer(lines.first?.split(separator: " ").map(String.init) ?? [], headers, body, context)
        }

        private func answer(
            _ words: [String], _ headers: HTTPHeaders, _ body: [UInt8], _ context: ChannelHandlerContext
        ) {
            guard let team = late.team.withLock({ $0 }), words.count == 3,
                let url = WebURL("https://\(headers.first(name: "host") ?? "")\(words[1])")
            else { return context.close(promise: nil) }
            if headers.contains(name: "upgrade") {
                team.state.withLock {
                    $0.asked.append(TeamDouble.Asked(method: "UPGRADE", url: url, headers: headers))
                }
                guard team.admits(headers) else { return write(team.loginRedirect, context) }
                isOpen = true
                let accept = WebSocketHandshake.accept(forKey: headers.first(name: "sec-websocket-key") ?? "")
                let head =
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n\r\n"
                return context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: head)), promise: nil)
            }
            let request = WebRequest(
                HTTPMethod(rawValue: words[0]), url, headers: headers, body: body, timeout: .seconds(5))
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.makeFutureWithTask { try await team.send(request) }.whenComplete { result in
                let (handler, context) = bound.value
                handler.write((try? result.get()) ?? WebAnswer(status: 500), context)
            }
        }

        private func write(_ answer: WebAnswer, _ context: ChannelHandlerContext) {
            var head =
                "HTTP/1.1 \(answer.status) Answer\r\nContent-Length: \(answer.body.count)\r\nConnection: close\r\n"
            for (name, value) in answer.headers { head += "\(name): \(value)\r\n" }
            var out = ByteBuffer(string: head + "\r\n")
            out.writeBytes(answer.body)
            context.writeAndFlush(wrapOutboundOut(out), promise: nil)
            context.close(promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
