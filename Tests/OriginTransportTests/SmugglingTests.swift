import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TestKit
import Testing
import TunnelConfig

@testable import OriginTransport

/// Requests and responses that two readers could frame differently.
@Suite(.timeLimit(.minutes(1))) struct SmugglingTests {
    private let client = TestClient()
    private let target = OriginTarget(.tcp(host: "127.0.0.1", port: 80), scheme: "http")

    private func head(_ headers: HTTPHeaders, hasBody: Bool = true) throws -> HTTPRequestHead {
        try HTTPRequest(method: "POST", path: "/", authority: "app.test", headers: headers, hasBody: hasBody)
            .head(for: target, options: OriginRequest())
    }

    // MARK: Requests

    @Test(
        arguments: [
            ["content-length": "5, 5"], ["content-length": "+5"], ["content-length": "5 "], ["content-length": "0x5"],
            ["content-length": ""], ["content-length": "99999999999999999999"], ["content-length": "5\u{B2}"],
            ["x": "a\r\nTransfer-Encoding: chunked"], ["x": "a\n b"], ["x": "a\u{0}"], ["x": "a\u{B}"], ["x": "a\rb"],
            ["x y": "1"], ["x:": "1"], ["x\r\nhost": "1"], ["": "1"], ["x\t": "1"], ["caf\u{E9}": "1"],
        ] as [HTTPHeaders])
    func `a head that can be read in two ways is refused`(headers: HTTPHeaders) {
        #expect(throws: OriginError.self) { try head(headers) }
    }

    @Test func `two lengths are refused even when they agree`() {
        #expect(throws: OriginError.self) { try head(["content-length": "5", "Content-Length": "5"]) }
    }

    @Test(arguments: ["Transfer-Encoding", "TRANSFER-ENCODING", "transfer_encoding", "Transfer_encoding"])
    func `the visitor's transfer-encoding never reaches the origin beside a length`(name: String) throws {
        let sent = try head([name: "chunked", "content-length": "5"]).headers
        #expect(sent["content-length"] == ["5"])
        #expect(!sent.contains(name: "transfer-encoding"))
        #expect(!sent.contains { $0.name.contains("_") })
        let alone = try head([name: "xchunked", "content_length": "7"]).headers
        #expect(alone["transfer-encoding"] == ["chunked"])
        #expect(!alone.contains(name: "content_length"))
    }

    @Test func `a visitor's Connection takes away its own fields, but not what frames the request or vouches for it`()
        throws
    {
        let sent = try head([
            "connection": "x-hop, content-length, host, Cf-Connecting-IP", "Connection": "cf-access-jwt-assertion",
            "x-hop": "1", "content-length": "3", "cf-connecting-ip": "192.0.2.1", "cf-access-jwt-assertion": "jwt",
            "keep-alive": "timeout=5", "proxy-connection": "close", "te": "gzip", "upgrade": "h2c",
        ]).headers
        #expect(
            sent.map(\.name).sorted() == [
                "Cf-Access-Jwt-Assertion", "Cf-Connecting-Ip", "Connection", "Content-Length", "Host",
            ])
        #expect(sent["connection"] == ["keep-alive"])
    }

    @Test func `a request without body announces none`() throws {
        let sent = try head(["content-length": "5", "transfer-encoding": "chunked"], hasBody: false).headers
        #expect(sent["content-length"].isEmpty)
        #expect(!sent.contains(name: "transfer-encoding"))
    }

    @Test func `trailers carry no line break and nothing that belongs in a head`() {
        let kept = HTTPRequest.trailers([
            "grpc-status": "0", "x": "a\r\n\r\nGET /admin HTTP/1.1", "content-length": "9", "Transfer-Encoding": "x",
            "host": "other", "Cf-Connecting-Ip": "1.1.1.1", "authorization": "Bearer", "a b": "1",
            "content_length": "1",
        ])
        #expect(kept?.map { "\($0.name): \($0.value)" } == ["Grpc-Status: 0"])
        #expect(HTTPRequest.trailers(["x": "\n"]) == nil)
    }

    // MARK: Responses

    private static let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nSMUGGLED"

    /// Each ends where a lenient reader could see a second response begin.
    @Test(arguments: [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 80\r\n\r\n",
        "Content-Length: 0, 80\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length : 0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\u{B}chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n",
        "X: a\r\n Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0\n\n",
        "\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    func `what follows a response is never the answer to another request`(fields: String) async throws {
        let bytes = ByteBuffer(string: "HTTP/1.1 200 OK\r\n" + fields + Self.smuggled)
        let first = Mutex(true)
        let origin = try await TestOrigin.raw { received, channel in
            guard received.readableBytes > 0 else { return channel.close(promise: nil) }
            let isFirst = first.withLock { value in
                defer { value = false }
                return value
            }
            if isFirst {
                channel.writeAndFlush(bytes, promise: nil)
                channel.close(mode: .output, promise: nil)
            } else {
                channel.writeAndFlush(
                    ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nTRUE"), promise: nil)
            }
        }
        let answer = try? await client.send(.get("/first"), to: origin.http)
        // Where the body has no clear end it lasts until the connection ends, and then nothing follows it.
        if let answer, String(buffer: answer.body).contains("SMUGGLED") {
            #expect(answer.headers["content-length"].isEmpty)
        }
        #expect(try await client.send(.get("/second"), to: origin.http).body == ByteBuffer(string: "TRUE"))
        #expect(origin.connections == 2)
        await origin.stop()
    }
}
