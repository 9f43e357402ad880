import Fuzzing
import Testing

@testable import TunnelConfig

struct OriginServiceTests {
    @Test(arguments: [
        ("http://localhost:8080", OriginService.http(host: "localhost", port: 8080, tls: false)),
        ("https://localhost", .http(host: "localhost", port: 443, tls: true)),
        ("ws://app:81", .http(host: "app", port: 81, tls: false)),
        ("wss://app", .http(host: "app", port: 443, tls: true)),
        ("http://[::1]:80", .http(host: "::1", port: 80, tls: false)),
        ("http://app?x=1", .http(host: "app", port: 80, tls: false)),
        ("http://bücher.example", .http(host: "xn--bcher-kva.example", port: 80, tls: false)),
        ("http://app:", .http(host: "app", port: 80, tls: false)),
        ("HTTP://App", .http(host: "app", port: 80, tls: false)),
        ("rdp://localhost", .tcp(scheme: "rdp", host: "localhost", port: 3389)),
        ("ssh://localhost", .tcp(scheme: "ssh", host: "localhost", port: 22)),
        ("smb://nas", .tcp(scheme: "smb", host: "nas", port: 445)),
        ("tcp://db", .tcp(scheme: "tcp", host: "db", port: 7864)),
        ("rdp://10.0.0.5:3390", .tcp(scheme: "rdp", host: "10.0.0.5", port: 3390)),
        ("postgres://db:5432", .tcp(scheme: "postgres", host: "db", port: 5432)),
        ("unix:/run/app.sock", .unix(path: "/run/app.sock", tls: false)),
        ("unix+tls:/run/app.sock", .unix(path: "/run/app.sock", tls: true)),
        ("unix:app", .unix(path: "app", tls: false)),
        ("http_status:404", .httpStatus(404)), ("hello_world", .helloWorld), ("hello-world", .helloWorld),
        ("bastion", .bastion),
        ("socks-proxy", .socksProxy),
    ])
    func `reads every form`(text: String, service: OriginService) throws {
        #expect(try OriginService.parse(text) == service)
    }

    @Test(arguments: [
        "", "localhost", "localhost:8080", "/path", "http://", "http:///x", "http://app/", "http://app/x",
        "http://app#x",
        "http://a:0", "http://a:65536", "http://a:b", "http://a b", "http://u:p@h", "foo://h", "http_status:99",
        "http_status:1000",
        "http_status:+40", "http_status:", "http_status:abc", "unix:", "Bastion", "://h", "http://a:1:2", "http://[::1",
        "http://[x]",
        "http://a\\b", "http://*.x", "1http://h", "unix:/" + String(repeating: "a", count: 120),
    ])
    func `refuses what is none`(text: String) {
        #expect(throws: ConfigError.self) { try OriginService.parse(text) }
    }

    @Test func `errors say what to write and never show a password`() {
        #expect(
            configError { _ = try OriginService.parse("localhost:80") }?.description.contains("http://localhost:80")
                == true)
        #expect(
            configError { _ = try OriginService.parse("http://app:8080/x") }?.description.contains("http://app:8080")
                == true)
        for text in ["http://u:hunter2@h", "u:hunter2@h"] {
            #expect(configError { _ = try OriginService.parse(text) }?.description.contains("hunter2") == false)
        }
    }

    @Test(arguments: [
        ("localhost", OriginService.http(host: "localhost", port: 80, tls: false)),
        ("localhost:8080", .http(host: "localhost", port: 8080, tls: false)),
        ("127.0.0.1:80/a", .http(host: "127.0.0.1", port: 80, tls: false)),
        ("::1", .http(host: "::1", port: 80, tls: false)),
        ("https://h/path?q", .http(host: "h", port: 443, tls: true)),
        ("rdp://localhost:3389", .tcp(scheme: "rdp", host: "localhost", port: 3389)),
        ("rdp://localhost", .tcp(scheme: "rdp", host: "localhost", port: 3389)),
        ("ssh://h/x", .tcp(scheme: "ssh", host: "h", port: 22)),
        ("http://b%C3%BCcher.example", .http(host: "xn--bcher-kva.example", port: 80, tls: false)),
    ])
    func `the url flag is more forgiving`(text: String, service: OriginService) throws {
        #expect(try OriginService.parseURLFlag(text) == service)
    }

    @Test(arguments: [
        "", "ftp://h", "ws://h", "bastion://h", "http://", "http://%", "http://%zz", "h:99999", "http://%FF",
    ])
    func `the url flag refuses`(text: String) {
        #expect(throws: ConfigError.self) { try OriginService.parseURLFlag(text) }
    }

    @Test(arguments: [
        "http://localhost:8080", "https://[::1]:8443", "https://h", "rdp://localhost:3389", "unix:/a", "unix+tls:/a",
        "http_status:503", "hello_world", "bastion", "socks-proxy",
    ])
    func `prints what it read`(text: String) throws {
        #expect(try OriginService.parse(text).description == text)
    }

    @Test func `random services never trap`() {
        var random = SeededGenerator(seed: 4)
        let pieces = [
            "http", "://", ":", "/", "[", "]", "::1", "a", "80", "@", "?", "#", "%", "%41", "unix:", "http_status:",
            ".", "*",
        ]
        for _ in 0..<5_000 {
            let text = random.text(from: pieces, upTo: 8)
            _ = try? OriginService.parse(text)
            _ = try? OriginService.parseURLFlag(text)
            _ = try? AccessHostname.parse(text)
            _ = try? ListenAddress.parse(text)
            _ = try? JumpDestination.parse(text)
        }
    }
}
