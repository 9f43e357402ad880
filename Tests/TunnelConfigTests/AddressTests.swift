import Fuzzing
import Testing

@testable import TunnelConfig

struct AddressTests {
    @Test(
        arguments: [
            ("localhost", "localhost", nil, "", nil), ("127.0.0.1:9090", "127.0.0.1", 9090, "", nil),
            ("::1", "::1", nil, "", nil),
            ("[::1]:8080", "::1", 8080, "", nil), ("rdp.site.com/x?y", "rdp.site.com", nil, "/x", "y"),
            ("https://Example.com:444/a?b=c#d", "example.com", 444, "/a", "b=c"),
            ("http://example.com", "example.com", nil, "", nil),
            ("bücher.example.com", "xn--bcher-kva.example.com", nil, "", nil),
            ("example.com?q", "example.com", nil, "", "q"),
        ] as [(String, String, Int?, String, String?)])
    func `an access hostname has its parts`(
        _ text: String, _ host: String, _ port: Int?, _ path: String, _ query: String?
    ) throws {
        let parsed = try AccessHostname.parse(text)
        #expect(parsed.host == host)
        #expect(parsed.port == port)
        #expect(parsed.path == path)
        #expect(parsed.query == query)
    }

    @Test func `an access hostname is always asked over https`() throws {
        let parsed = try AccessHostname.parse("http://rdp.site.com:443/x?y")
        #expect(parsed.description == "https://rdp.site.com/x?y")
        #expect(parsed.authorityText == "rdp.site.com")
        #expect(parsed.target == "/x?y")
        #expect(try AccessHostname.parse("[::1]:8443").authorityText == "[::1]:8443")
        #expect(try AccessHostname.parse("a.b").target == "/")
    }

    @Test(arguments: [
        "", "https:///x", "/x", "https://", "ftp://a", "a\\b", "user@a", "a b", "a:99999", "a:b",
        "http://[fe80::1%25eth0]",
        "a\r\nHost: b", "*.a", "-\u{0}", ":8080",
    ])
    func `an access hostname is refused`(text: String) {
        #expect(throws: ConfigError.self) { try AccessHostname.parse(text) }
    }

    @Test(arguments: [
        ("localhost:2244", "localhost", 2244), ("rdp://localhost:2244", "localhost", 2244), ("2244", "127.0.0.1", 2244),
        ("0", "127.0.0.1", 0), ("tcp://127.0.0.1:12251/path", "127.0.0.1", 12251),
        ("localhost:12255/foo", "localhost", 12255),
        ("[::1]:12254", "::1", 12254), ("0.0.0.0:2244", "0.0.0.0", 2244), ("127.0.0.1:0", "127.0.0.1", 0),
    ])
    func `a listen address is read`(text: String, host: String, port: Int) throws {
        let address = try ListenAddress.parse(text)
        #expect(address.host == host)
        #expect(address.port == port)
    }

    @Test(arguments: [
        "", "localhost", "http://localhost", ":2253", "ftp://h:1", "unix:/run/x.sock", "localhost:65536", "65536",
        "a:b", "u@h:1",
        "99999999999999999999999", "1:2:3",
    ])
    func `a listen address is refused with an example`(text: String) {
        #expect(configError { _ = try ListenAddress.parse(text) }?.suggestion != nil)
    }

    @Test(arguments: [
        ("localhost:1", true), ("127.0.0.5:1", true), ("[::1]:1", true), ("[::ffff:127.0.0.1]:1", true),
        ("rdp.localhost:1", true),
        ("0.0.0.0:1", false), ("[::]:1", false), ("192.168.0.1:1", false), ("myhost:1", false),
    ])
    func `only loopback is loopback`(text: String, isLoopback: Bool) throws {
        #expect(try ListenAddress.parse(text).isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("rdpserver:3389", "rdpserver:3389"), ("rdp://rdpserver:3389/x", "rdpserver:3389"),
        ("rdpserver:3389/metrics", "rdpserver:3389"),
        ("rdp://rdpserver", "rdpserver:3389"), ("ssh://h", "h:22"), ("smb://h", "h:445"), ("http://h:1/x", "h:1"),
        ("[::1]:22", "[::1]:22"), ("rdp://[2001:DB8::1]", "[2001:db8::1]:3389"), ("10.0.0.1:22", "10.0.0.1:22"),
        ("SERVER.Corp.:22", "server.corp:22"),
    ])
    func `a destination is read`(text: String, target: String) throws {
        #expect(try JumpDestination.parse(text).description == target)
    }

    @Test(arguments: [
        "", "rdpserver", "http://h", "user@h:1", "http://user:pw@h:1/x", " h:22", "h:22 ", "a:b:c", "[fe80::1%eth0]:22",
        "[fe80::1%25eth0]:22",
        "h:0", "h:65536", "h:-1", "h:+1", ":22", "2130706433:22", "0x7f.1:22", "127.1:22", "0177.0.0.1:22", "h\t:1",
        "h\u{0}:1", "[h]:1",
        "*.corp:22", "127.0.0.1.:0x16", "ssh://", "tcp://h", "::1", "a%2eb:22", "\u{3000}h:22", "0x7f000001:22",
    ])
    func `a destination is refused`(text: String) {
        #expect(throws: ConfigError.self) { try JumpDestination.parse(text) }
    }

    @Test func `a destination without port takes the caller's`() throws {
        #expect(try JumpDestination.parse("rdpserver", defaultPort: 3389).port == 3389)
        #expect(try JumpDestination.parse("ssh://rdpserver", defaultPort: 3389).port == 22)
    }

    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("::ffff:1.2.3.4", "::ffff:102:304"),
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("1::2:0:0:0:3", "1:0:0:2::3"),
    ])
    func `an address is read and printed`(text: String, printed: String) {
        #expect(IPAddress(text)?.description == printed)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4 ", "1..2.3", ":", ":::", "1:::2", "1::2::3",
        "1:2:3:4:5:6:7", "g::",
        "12345::", "1:2:3:4:5:6:7:8:9", "::1%eth0", "1:2:3:4:5:6:7::8:9", "+1::", "::1.2.3", "1.2.3.4::", "::-1", ":1",
        "1:", "0x1.2.3.4",
    ])
    func `what is no address is none`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `random addresses survive printing`() {
        var random = SeededGenerator(seed: 5)
        for round in 0..<2_000 {
            var bits = UInt128.random(in: 0 ... .max, using: &random)
            if round % 2 == 0 { bits &= UInt128.random(in: 0 ... .max, using: &random) & (UInt128(0xFFFF_0000) << 48) }
            let address = IPAddress(v6: bits)
            #expect(IPAddress(address.description) == address)
            _ = IPAddress(random.text(from: ["1", "f", ":", "::", ".", "255", "%"], upTo: 12))
        }
    }
}
