import ByteStream
import Testing

@testable import AccessClient

@Suite struct ProxySettingsTests {
    private func proxy(_ environment: [String: String], _ host: String, _ port: Int = 443) throws -> ProxyServer? {
        try ProxySettings(environment: environment).proxy(forHost: host, port: port)
    }

    @Test(arguments: [
        ("http://proxy:3128", ProxyServer(kind: .http, host: "proxy", port: 3128)),
        ("proxy:3128", ProxyServer(kind: .http, host: "proxy", port: 3128)),
        ("http://proxy", ProxyServer(kind: .http, host: "proxy", port: 80)),
        ("socks5://[::1]:9050", ProxyServer(kind: .socks5, host: "::1", port: 9050)),
        ("socks5h://p", ProxyServer(kind: .socks5, host: "p", port: 1080)),
        (
            "http://u%40x:p%3Aw@proxy:1",
            ProxyServer(kind: .http, host: "proxy", port: 1, login: .init(user: "u@x", password: "p:w"))
        ),
    ])
    func `proxy URLs are read as Go reads them`(text: String, expected: ProxyServer) throws {
        #expect(try proxy(["HTTPS_PROXY": text], "edge.test") == expected)
    }

    @Test(arguments: ["https://p:1", "ftp://p", "http://:", "http://p:99999", "http://a b"])
    func `a proxy that cannot be used is an error that does not quote it`(text: String) {
        let error = #expect(throws: AccessError.self) { try proxy(["HTTPS_PROXY": text], "edge.test") }
        #expect(error?.code == .configuration)
        #expect(error.map { !$0.message.contains(text) } ?? false)
    }

    @Test func `upper case wins, lower case counts, loopback never goes through a proxy`() throws {
        #expect(try proxy(["HTTPS_PROXY": "a:1", "https_proxy": "b:1"], "edge.test")?.host == "a")
        #expect(try proxy(["https_proxy": "b:1"], "edge.test")?.host == "b")
        for host in ["localhost", "rdp.localhost", "127.0.0.9", "::1", "LOCALHOST"] {
            #expect(try proxy(["HTTPS_PROXY": "https://broken"], host) == nil)
        }
        #expect(try proxy([:], "edge.test") == nil)
    }

    @Test(arguments: [
        ("*", "edge.test", true), ("edge.test", "edge.test", true), ("test", "edge.test", true),
        (".test", "edge.test", true),
        (".edge.test", "edge.test", false), ("dge.test", "edge.test", false), ("other, EDGE.TEST", "edge.test", true),
        ("edge.test:443", "edge.test", true), ("edge.test:444", "edge.test", false), ("*.test", "edge.test", true),
        ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.1.2.3", false), ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3:443", "10.1.2.3", true), ("10.1.2.3:80", "10.1.2.3", false), ("2001:db8::1", "2001:db8::1", true),
        ("[2001:db8::1]:443", "2001:db8::1", true),
    ])
    func `NO_PROXY names hosts, domains, addresses and blocks`(exceptions: String, host: String, isDirect: Bool) throws
    {
        #expect((try proxy(["HTTPS_PROXY": "p:1", "NO_PROXY": exceptions], host) == nil) == isDirect)
    }

    @Test func `a proxy's text holds no credentials`() {
        let server = ProxyServer(kind: .http, host: "p", port: 1, login: .init(user: "user", password: "pw"))
        #expect("\(server)" == "http://p:1")
        var dump = ""
        Swift.dump(server, to: &dump)
        #expect(!dump.contains("pw") && !dump.contains("user"))
    }
}
