import NIOHTTP1
import Testing

@testable import Edge

/// What becomes of headers on their way through.
struct ForwardedHeadersTests {
    private func forwarded(_ fields: [(String, String)]) throws -> HTTPHeaders {
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/", headers: HTTPHeaders([("Host", "a.test")] + fields))
        return ForwardedHeaders.request(try VisitorRequest(head), visitor: "192.0.2.1", ray: "0123456789abcdef")
    }

    @Test(arguments: [
        "Cf-Access-Jwt-Assertion", "Cf-Access-Authenticated-User-Email", "Cf-Access-Token", "Cf-Access-Client-Secret",
        "Cf-Access-Client-Id", "Cf-Access-Jump-Destination", "Cf-Access-Anything",
        "cf-cloudflared-proxy-connection-upgrade", "Cf-Cloudflared-Response-Meta", "cf-proxy-x",
        "Connection", "Keep-Alive", "TE", "Upgrade", "Proxy-Authorization", "Transfer-Encoding",
    ])
    func `What only edge and connector may say, and what was meant for the edge, ends here`(name: String) throws {
        let value = name == "Transfer-Encoding" ? "chunked" : "x"
        #expect(try !forwarded([(name, value)]).contains(name: name))
    }

    @Test(arguments: [
        "Sec-WebSocket-Key", "Origin", "Authorization", "Cookie", "X-Anything",
    ])
    func `What the origin needs passes`(name: String) throws {
        #expect(try forwarded([(name, "x")])[name] == ["x"])
    }

    @Test(arguments: [
        "cf_access_jwt_assertion", "Cf.Access.Jwt.Assertion", "CF-Access_Authenticated~User-Email",
        "cf*access|jump!destination", "cf_connecting_ip", "CF.Connecting-IP", "x_forwarded_for", "X.Forwarded-Proto",
        "true_client_ip", "content_length", "transfer_encoding", "cf_cloudflared_x",
    ])
    func `No spelling of such a name passes, not as a trailer either`(name: String) throws {
        #expect(try !forwarded([(name, "forged")]).contains { $0.value.contains("forged") })
        #expect(ForwardedHeaders.trailers([name: "forged"]) == nil)
    }

    @Test
    func `Cookies of Access stay with the edge, however they are spelled`() throws {
        let cookies =
            "a=1; CF_Authorization=other; CF_AppSession=s;CF_Binding =b; cf.session=s; CF.Authorization=o; z=2"
        #expect(try forwarded([("Cookie", cookies)])["cookie"] == ["a=1; z=2"])
        #expect(try forwarded([("Cookie", "CF_Authorization=other")])["cookie"] == [])
        #expect(try forwarded([("Cookie", "a=b;  c = d")])["cookie"] == ["a=b;  c = d"])
    }

    @Test
    func `The edge says who the visitor is, whatever the visitor says`() throws {
        let headers = try forwarded([
            ("CF-Connecting-IP", "9.9.9.9"), ("X-Forwarded-Proto", "http"), ("Cf-Ray", "forged"),
            ("True-Client-IP", "8.8.8.8"),
            ("Connection", "cf-connecting-ip, x-forwarded-for"),
        ])
        #expect(headers["cf-connecting-ip"] == ["192.0.2.1"])
        #expect(headers["x-forwarded-for"] == ["192.0.2.1"])
        #expect(headers["x-forwarded-proto"] == ["https"])
        #expect(headers["cf-ray"] == ["0123456789abcdef"])
        #expect(!headers.contains(name: "true-client-ip"))
    }

    @Test
    func `Names that Connection lists are for this hop only`() throws {
        let headers = try forwarded([("Connection", "close, X-Hop"), ("X-Hop", "1"), ("X-Far", "2")])
        #expect(!headers.contains(name: "x-hop"))
        #expect(headers["x-far"] == ["2"])
    }

    @Test
    func `Answers that would break the visitor's framing are not passed on`() {
        #expect(ForwardedHeaders.response(["x": "a\r\nset-cookie: b"], ray: "r") == nil)
        #expect(ForwardedHeaders.response(["x y": "a"], ray: "r") == nil)
        #expect(
            ForwardedHeaders.response(HTTPHeaders([("content-length", "1"), ("content-length", "2")]), ray: "r") == nil)
        #expect(ForwardedHeaders.response(["content-length": "1x"], ray: "r") == nil)
        let headers = ForwardedHeaders.response(
            HTTPHeaders([
                ("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Set-Cookie", "a"), ("Set-Cookie", "b"),
                ("cf-int-x", "1"),
            ]), ray: "r")
        #expect(headers == HTTPHeaders([("Set-Cookie", "a"), ("Set-Cookie", "b"), ("cf-ray", "r")]))
    }

    @Test
    func `The edge's own cookies are set by the edge alone`() {
        let given = HTTPHeaders([
            ("Set-Cookie", "CF_Authorization=x; Domain=site.test"), ("set-cookie", " CF_AppSession=x"),
            ("SET-COOKIE", "CF_Session=x"), ("set-cookie", "CF_Binding"), ("set-cookie", "mine=CF_Session=x"),
        ])
        #expect(ForwardedHeaders.response(given, ray: "r") == ["set-cookie": "mine=CF_Session=x", "cf-ray": "r"])
        #expect(ForwardedHeaders.response(given, ray: "r", isOwn: true)?["set-cookie"].count == 5)
    }
}
