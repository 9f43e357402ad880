import NIOHTTP1
import Testing

@testable import Edge

/// What a request head may look like.
struct VisitorRequestTests {
    private func check(
        _ method: HTTPMethod = .GET, _ uri: String = "/", headers: HTTPHeaders = ["host": "a.test"],
        version: HTTPVersion = .http1_1
    ) throws -> VisitorRequest {
        try VisitorRequest(HTTPRequestHead(version: version, method: method, uri: uri, headers: headers))
    }

    @Test(arguments: [
        ("a.test", "a.test"), ("A.Test.", "a.test"), ("a.test:8443", "a.test"), ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:443", "::1"), ("[FE80::1]", "fe80::1"), ("a_b.test", "a_b.test"),
    ])
    func `A Host header names a host, whatever its case and port`(header: String, host: String) throws {
        #expect(try check(headers: ["host": header]).host == host)
    }

    @Test(arguments: [
        "", ":80", "a test", "a.test:80:80", "a.test:x", "[::1", "[]", "a/b", "user@a.test", "a.test:123456", "ä.test",
    ])
    func `Other Host headers are refused`(header: String) {
        #expect(throws: VisitorRequest.Refusal.self) { try check(headers: ["host": header]) }
    }

    @Test
    func `There is exactly one Host header`() {
        #expect(throws: VisitorRequest.Refusal.self) { try check(headers: [:]) }
        #expect(throws: VisitorRequest.Refusal.self) {
            try check(headers: HTTPHeaders([("host", "a.test"), ("host", "b.test")]))
        }
    }

    @Test(arguments: [
        [("content-length", "5"), ("transfer-encoding", "chunked")],
        [("content-length", "5"), ("content-length", "5")],
        [("content-length", "5, 5")], [("content-length", "+5")], [("content-length", "-1")], [("content-length", "")],
        [("content-length", "99999999999999999999")],
        [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
        [("transfer-encoding", "gzip, chunked")], [("transfer-encoding", "identity")],
        [("transfer-encoding", "xchunked")],
        [("x y", "1")], [("x", "a\nb")], [("x", "a\0b")], [("", "b")],
    ])
    func `Heads that two readers could take differently are refused`(fields: [(String, String)]) {
        let headers = HTTPHeaders([("host", "a.test")] + fields)
        #expect(throws: VisitorRequest.Refusal.self) { try check(.POST, headers: headers) }
    }

    @Test
    func `HTTP/1.0 has no chunks`() {
        #expect(throws: VisitorRequest.Refusal.self) {
            try check(.POST, headers: ["host": "a.test", "transfer-encoding": "chunked"], version: .http1_0)
        }
    }

    @Test
    func `Targets are paths, or name the same host`() throws {
        #expect(try check(.GET, "/a?b").path == "/a?b")
        #expect(try check(.OPTIONS, "*").path == "*")
        #expect(try check(.GET, "https://A.test:443/a?b").path == "/a?b")
        #expect(try check(.GET, "http://a.test?b").path == "/?b")
        for target in ["https://b.test/", "a", "/a#b", "/a b", "/a\u{7F}", "ftp://a.test/", ""] {
            #expect(throws: VisitorRequest.Refusal.self, "\(target)") { try check(.GET, target) }
        }
        for method in [HTTPMethod.CONNECT, .TRACE, .RAW(value: ""), .RAW(value: "G T")] {
            #expect(throws: VisitorRequest.Refusal.self) { try check(method) }
        }
    }

    @Test
    func `A WebSocket is asked for by both headers, in any case`() throws {
        let upgrade: HTTPHeaders = ["host": "a.test", "connection": "keep-alive, Upgrade", "upgrade": "WebSocket"]
        #expect(try check(headers: upgrade).isWebSocket)
        #expect(try !check(.POST, headers: upgrade).isWebSocket)
        #expect(try !check(headers: ["host": "a.test", "upgrade": "websocket"]).isWebSocket)
        #expect(try !check(headers: ["host": "a.test", "connection": "upgrade", "upgrade": "h2c"]).isWebSocket)
    }
}
