import NIOCore
import ServiceHost
import TestKit
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
            ProxyServer(kind: .http, host: "proxy", port: 1, user: "u@x", password: Secret("p:w"))
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
        let server = ProxyServer(kind: .http, host: "p", port: 1, user: "user", password: Secret("pw"))
        #expect("\(server)" == "http://p:1")
    }

    // MARK: SOCKS5

    private func run(_ handshake: SOCKS5Handshake, _ answers: [[UInt8]]) throws -> [[UInt8]] {
        var handshake = handshake
        var sent = [Array(handshake.greeting.readableBytesView)]
        var buffer = ByteBuffer()
        for byte in answers.joined() {
            buffer.writeInteger(byte)
            switch try handshake.received(&buffer) {
            case .send(let bytes): sent.append(Array(bytes.readableBytesView))
            case .succeed: sent.append([])
            case .none: break
            }
        }
        return sent
    }

    @Test func `SOCKS5 without a user asks for the name itself`() throws {
        let handshake = SOCKS5Handshake(host: "edge.test", port: 443, user: nil, password: nil)
        #expect(
            try run(handshake, [[5, 0], [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]]) == [
                [5, 1, 0], [5, 1, 0, 3, 9] + "edge.test".utf8 + [1, 187], [],
            ])
    }

    @Test func `SOCKS5 with a user logs in first, and names addresses in binary`() throws {
        let handshake = SOCKS5Handshake(host: "10.0.0.1", port: 8443, user: "u", password: "pw")
        #expect(
            try run(handshake, [[5, 2], [1, 0], [5, 0, 0, 3, 2, 65, 66, 0, 1]]) == [
                [5, 2, 0, 2], [1, 1, 117, 2, 112, 119], [5, 1, 0, 1, 10, 0, 0, 1, 32, 251], [],
            ])
        let six = SOCKS5Handshake(host: "::1", port: 1, user: nil, password: nil)
        #expect(try run(six, [[5, 0]])[1] == [5, 1, 0, 4] + [UInt8](repeating: 0, count: 15) + [1, 0, 1])
    }

    @Test(
        arguments: [
            [[72, 84]], [[5, 255]], [[5, 2]], [[5, 0], [5, 5, 0, 1]], [[5, 0], [4, 0, 0, 1]], [[5, 0], [5, 0, 0, 9]],
        ] as [[[UInt8]]])
    func `SOCKS5 refusals and garbage end the handshake`(answers: [[UInt8]]) {
        #expect(throws: SOCKS5Handshake.Refusal.self) {
            try run(SOCKS5Handshake(host: "h", port: 1, user: nil, password: nil), answers)
        }
    }

    @Test func `random answers never trap`() {
        var generator = SeededGenerator(seed: 1928)
        for _ in 0..<2000 {
            var bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: 0...6, using: &generator)
            }
            if bytes.count > 1 { bytes.replaceSubrange(0..<2, with: [5, 0]) }
            _ = try? run(SOCKS5Handshake(host: "h", port: 1, user: "u", password: nil), [bytes])
        }
    }
}
