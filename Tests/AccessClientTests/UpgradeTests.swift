import ByteStream
import Logging
import NIOCore
import NIOHTTP1
import ServiceHost
import Testing
import TunnelConfig

@testable import AccessClient

@Suite struct UpgradeTests {
    private let key = "dGhlIHNhbXBsZSBub25jZQ=="

    private func configuration(_ hostname: String, _ headers: [String] = []) throws -> ForwarderConfiguration {
        var configuration = ForwarderConfiguration(hostname: try AccessHostname.parse(hostname), environment: [:])
        configuration.headers = try ForwarderConfiguration.headers(fromFlags: headers)
        return configuration
    }

    private func lines(_ request: UpgradeRequest) -> [String] {
        ["\(request.head.method) \(request.head.uri) HTTP/1.1"] + request.head.headers.map { "\($0): \($1)" }
    }

    @Test func `the plain request has exactly the official headers`() throws {
        let request = UpgradeRequest(try configuration("rdp.example.com"), key: key)
        #expect(
            lines(request) == [
                "GET / HTTP/1.1", "Host: rdp.example.com", "User-Agent: cloudflared/\(Version.current)",
                "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ])
        #expect(request.expectedAccept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test func `port, path and query go to the edge, other letters escaped`() throws {
        let request = UpgradeRequest(try configuration("https://rdp.example.com:8443/söme/path?x=1"), key: key)
        #expect(request.head.uri == "/s%C3%B6me/path?x=1")
        #expect(request.head.headers["host"] == ["rdp.example.com:8443"])
    }

    @Test func `flags win over headers, and the framing is ours`() throws {
        var configuration = try configuration(
            "h.example.com",
            [
                "Cf-Access-Client-Id: theirs", "User-Agent: mine", "Host: other", "Upgrade: h2c", "connection: close",
                "Sec-WebSocket-Extensions: permessage-deflate", "Transfer-Encoding: chunked", "X-A: 1", "X-A:2 ",
                "no colon",
                "Cf-Access-Jump-Destination: elsewhere:1",
            ])
        configuration.serviceTokenID = "id.access"
        configuration.serviceTokenSecret = Secret("s3cret")
        configuration.destination = try JumpDestination.parse("rdp://rdpserver/x")
        #expect(
            lines(UpgradeRequest(configuration, key: key)).dropFirst(2) == [
                "User-Agent: cloudflared/\(Version.current)", "Connection: Upgrade", "Upgrade: websocket",
                "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Cf-Access-Client-Id: id.access", "Cf-Access-Client-Secret: s3cret",
                "Cf-Access-Jump-Destination: rdpserver:3389", "X-A: 1", "X-A: 2",
            ])
    }

    @Test func `a token given by headers alone is sent as given`() throws {
        let request = UpgradeRequest(try configuration("h.example.com", ["CF-Access-Client-Id: a:b"]), key: key)
        #expect(request.head.headers["cf-access-client-id"] == ["a:b"])
    }

    @Test(arguments: ["Na me: v", "X: a\r\nY: b", "X: a\u{0}", ": v"])
    func `a header that would break the request is refused without quoting its value`(flag: String) throws {
        let error = #expect(throws: AccessError.self) { try ForwarderConfiguration.headers(fromFlags: [flag]) }
        #expect(error?.code == .usage)
        #expect(error?.exitCode == .usage)
    }

    @Test func `logs show no secret header`() throws {
        var configuration = try configuration(
            "h.example.com", ["Authorization: Bearer t0ken", "cookie: CF_Authorization=c00kie", "X-Api-Key: k3y"])
        configuration.serviceTokenSecret = Secret("s3cret")
        let text = UpgradeRequest(configuration, key: key).loggedHeaders
        for secret in ["t0ken", "c00kie", "s3cret", "k3y"] { #expect(!text.contains(secret)) }
        #expect(text.contains("X-Api-Key: ") && text.contains("Upgrade: websocket"))
        #expect(!"\(configuration)".contains("s3cret"))
    }

    @Test(arguments: [
        ("https://team.example/cdn-cgi/access/login/h?x=1", true), ("/cdn-cgi/access/login", true),
        ("cdn-cgi/access/login-extra", true), ("//other/cdn-cgi/access/login", true),
        ("https://h/other?u=/cdn-cgi/access/login", false), ("/login", false), ("http://[", false), ("", false),
    ])
    func `a login is told by its path alone`(location: String, isLogin: Bool) throws {
        let head = HTTPResponseHead(version: .http1_1, status: .found, headers: ["Location": location])
        let hostname = try AccessHostname.parse("h.example.com")
        #expect(UpgradeAnswer.isLoginRedirect(head, hostname: hostname) == isLogin)
        let elsewhere = HTTPResponseHead(version: .http1_1, status: .seeOther, headers: ["Location": location])
        #expect(!UpgradeAnswer.isLoginRedirect(elsewhere, hostname: hostname))
    }

    @Test(arguments: [
        (401, AccessError.Code.denied, "policy denied"), (403, .denied, "policy denied"),
        (404, .unavailable, "no tunnel serves this hostname"), (421, .unavailable, "no tunnel"),
        (530, .unavailable, "no tunnel"),
        (502, .unavailable, "connector or origin are down"), (503, .unavailable, "down"),
        (200, .notWebSocket, "web pages"),
        (307, .notWebSocket, "redirects"), (101, .notWebSocket, "handshake"), (500, .notWebSocket, "bad handshake"),
    ])
    func `every status has its hop and remedy`(status: Int, code: AccessError.Code, text: String) throws {
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: ["Content-Type": "text/plain"])
        let error = UpgradeAnswer.refusal(
            head, body: "why\u{1B}[31m", hostname: try AccessHostname.parse("h.example.com"),
            bearer: .nobody)
        #expect(error.code == code)
        #expect(error.message.contains("h.example.com answered \(status)"))
        #expect(error.message.contains(text))
        #expect(!error.message.contains("\u{1B}"))
        #expect(error.exitCode == (code == .unavailable ? .unavailable : .failure))
    }

    @Test func `what the edge says to do stands in place of our own advice`() throws {
        let head = HTTPResponseHead(version: .http1_1, status: .forbidden, headers: ["Content-Type": "text/plain"])
        let error = UpgradeAnswer.refusal(
            head, body: "nobody has opened it.\nOpen\u{7} it: `app add`.\nRay 1", hostname: try .parse("h.example.com"),
            bearer: .nobody)
        #expect(error.code == .denied)
        #expect(error.message == "h.example.com answered 403 Forbidden: nobody has opened it. Open it: `app add`.")
    }

    @Test func `a log shows no query`() throws {
        let hostname = try AccessHostname.parse("https://h.example.com:8443/a?key=s3cret")
        #expect(hostname.withoutQuery == "https://h.example.com:8443/a")
    }

    @Test func `a login asks for a service token, or says that the given one was not accepted`() throws {
        let head = HTTPResponseHead(version: .http1_1, status: .found, headers: ["Location": "/cdn-cgi/access/login/x"])
        let hostname = try AccessHostname.parse("h.example.com")
        let without = UpgradeAnswer.refusal(head, body: "", hostname: hostname, bearer: .nobody)
        #expect(without.code == .loginRequired)
        #expect(
            without.message.contains("--service-token-id") && without.message.contains("TUNNEL_SERVICE_TOKEN_SECRET"))
        let with = UpgradeAnswer.refusal(head, body: "", hostname: hostname, bearer: .serviceToken)
        #expect(with.message.contains("did not accept the service token"))
    }

    @Test(arguments: [
        ("edge.test", "edge.test", 443, "edge.test"), ("edge.test:8443", "edge.test", 8443, "edge.test"),
        ("name.test:8443:10.0.0.1", "10.0.0.1", 8443, "name.test"), ("[::1]:8443", "::1", 8443, "::1"),
        ("[::1]", "::1", 443, "::1"),
    ])
    func `connect-to has three forms`(text: String, host: String, port: Int, serverName: String) throws {
        #expect(try ConnectTo.parse(text) == ConnectTo(host: host, port: port, serverName: serverName))
    }

    @Test(arguments: ["", "a:b:c:d", "a:0", "a:65536", "a:x", ":1", "a:1:", "a b", "[::1", "[::1]x", "a:+1"])
    func `other forms of connect-to are refused`(text: String) {
        let error = #expect(throws: AccessError.self) { try ConnectTo.parse(text) }
        #expect(error?.code == .usage)
    }

    @Test(arguments: [
        ("edge.test", "edge.test", true), ("*.test", "edge.test", true), ("*.Test", "EDGE.test", true),
        ("*.test", "a.edge.test", false), ("*.edge.test", "edge.test", false), ("*", "edge", false),
        ("*.test", ".test", false),
        ("e*.test", "edge.test", false), ("", "", false), ("edge.test.", "edge.test", false),
    ])
    func `a name in a certificate covers itself, a star one first label`(pattern: String, name: String, covers: Bool) {
        #expect(ServerIdentity.covers(pattern, name) == covers)
    }
}
