import ByteStream
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import OriginTransport
import TestKit
import TunnelConfig

/// A client of one event loop, as a link is.
struct TestClient: Sendable {
    let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let origins = HTTPOrigins()

    /// What an origin answered to one request.
    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var body: ByteBuffer
        var trailers: HTTPHeaders?
    }

    /// A request under way.
    struct Exchange: Sendable {
        let head: EventLoopFuture<HTTPAnswer>
        let visitor: TestVisitor
        /// After an accepted upgrade: the raw connection.
        let upgraded: EventLoopFuture<TestVisitor>
    }

    func begin(
        _ request: HTTPRequest, to target: OriginTarget, options: OriginRequest = OriginRequest(), reading: Bool = true
    ) async throws -> Exchange {
        let head = eventLoop.makePromise(of: HTTPAnswer.self)
        let upgraded = eventLoop.makePromise(of: TestVisitor.self)
        let (eventLoop, origins) = (eventLoop, origins)
        return try await eventLoop.submit {
            let visitor = TestVisitor(on: eventLoop)
            let answered: (Result<OriginExchange.Answer, OriginError>) -> Void = { result in
                switch result {
                case .success(.response(let answer)):
                    head.succeed(answer)
                    upgraded.fail(OriginError(.badResponse, "not upgraded"))
                case .success(.upgraded(let answer, let pipe)):
                    let raw = TestVisitor(on: eventLoop)
                    raw.start(pipe)
                    head.succeed(answer)
                    upgraded.succeed(raw)
                case .failure(let error):
                    head.fail(error)
                    upgraded.fail(error)
                }
            }
            let exchange: OriginExchange
            do {
                exchange = try origins.send(request, to: target, options: options, on: eventLoop, answered: answered)
            } catch {
                head.fail(error)
                upgraded.fail(error)
                throw error
            }
            visitor.start(exchange, reading: reading)
            visitor.closedFuture.whenComplete { _ in
                // An aborted exchange answers nothing.
                head.fail(PipeError.aborted)
                upgraded.fail(PipeError.aborted)
            }
            return Exchange(head: head.futureResult, visitor: visitor, upgraded: upgraded.futureResult)
        }.get()
    }

    func send(
        _ request: HTTPRequest, to target: OriginTarget, options: OriginRequest = OriginRequest(),
        body: ByteBuffer? = nil
    ) async throws -> Answer {
        let exchange = try await begin(request, to: target, options: options)
        if let body { exchange.visitor.send(body, end: true) }
        let head = try await exchange.head.get()
        let bytes = try await exchange.visitor.body()
        let trailers = try await exchange.visitor.trailers()
        return Answer(status: head.status, headers: head.headers, body: bytes, trailers: trailers)
    }
}

extension HTTPRequest {
    static func get(_ path: String = "/", headers: HTTPHeaders = [:]) -> HTTPRequest {
        HTTPRequest(method: "GET", path: path, authority: "app.test", headers: headers, hasBody: false)
    }

    static func post(_ headers: HTTPHeaders = [:]) -> HTTPRequest {
        HTTPRequest(method: "POST", path: "/up", authority: "app.test", headers: headers, hasBody: true)
    }

    static func upgrade() -> HTTPRequest {
        HTTPRequest(
            method: "GET", path: "/ws", authority: "app.test",
            headers: ["sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="],
            hasBody: true, isUpgrade: true)
    }
}

extension TestOrigin {
    var http: OriginTarget { OriginTarget(.tcp(host: "127.0.0.1", port: port), scheme: "http") }
    var https: OriginTarget { OriginTarget(.tcp(host: "localhost", port: port), scheme: "https", tls: true) }

    func service(_ scheme: String, host: String = "127.0.0.1") -> OriginTarget {
        OriginTarget(.tcp(host: host, port: port), scheme: scheme)
    }
}

/// A path for a Unix socket, short enough for the kernel.
func socketPath() -> String { "/tmp/cfd-\(UUID().uuidString.prefix(13)).sock" }

extension ByteBuffer {
    /// Bytes that repeat with a prime period, so that a lost or doubled piece shows.
    static func pattern(_ count: Int) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        let block = (0..<251).map { UInt8($0) }
        while buffer.readableBytes + block.count <= count { buffer.writeBytes(block) }
        buffer.writeBytes(block.prefix(count - buffer.readableBytes))
        return buffer
    }
}

/// The `OriginError` that a request ends with before its answer.
func failure(_ body: () async throws -> Void) async -> OriginError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? OriginError
    }
}
