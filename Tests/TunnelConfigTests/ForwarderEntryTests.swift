import Testing

@testable import TunnelConfig

@Suite struct ForwarderEntryTests {
    @Test func `the official section is read, with what ours adds`() throws {
        let file = try ConfigFile.parse(
            """
            forwarders:
              - url: https://rdp.site.com
                listener: 127.0.0.1:2244
                serviceTokenID: id
                serviceTokenSecret: hush
                destination: rdpserver:3389
                isFedramp: false
              - url: ssh.site.com:8443
                listener: "2222"
                serviceTokenFile: token
                caPool: ca.pem
            """, path: "/etc/cloudflared/config.yml")
        #expect(file.warnings.isEmpty)
        #expect(file.forwarders.map(\.listener.description) == ["127.0.0.1:2244", "127.0.0.1:2222"])
        let first = try #require(file.forwarders.first)
        #expect(first.hostname == (try .parse("rdp.site.com")))
        #expect(first.destination == (try .parse("rdpserver:3389")))
        #expect(first.serviceTokenID == "id")
        #expect(first.serviceTokenSecret == "hush")
        #expect(!"\(first)".contains("hush") && !String(reflecting: first).contains("hush"))
        let second = try #require(file.forwarders.last)
        #expect(second.hostname.port == 8443)
        #expect(second.serviceTokenFile == "/etc/cloudflared/token")
        #expect(second.caPool == "/etc/cloudflared/ca.pem")
    }

    @Test(arguments: [
        ("- listener: 127.0.0.1:1", "forwarders[0]: url is missing"),
        ("- url: rdp.site.com", "forwarders[0]: listener is missing"),
        ("- {url: 'http://rdp.site.com', listener: '1'}", "forwarders[0].url: http would send"),
        ("- {url: rdp.site.com, listener: nowhere}", "forwarders[0].listener:"),
        ("- {url: rdp.site.com, listener: '1', destination: 'a b'}", "forwarders[0].destination:"),
        (
            "- {url: a.b, listener: '1'}\n  - {url: c.d, listener: '1'}",
            "forwarders[1]: 127.0.0.1:1 is the listener of two"
        ),
        ("rdp.site.com", "expected a list of forwarders"),
    ])
    func `an entry that cannot work is refused with its place`(text: String, message: String) throws {
        let error = try #require(throws: ConfigError.self) { try file("forwarders:\n  \(text)\n") }
        #expect(error.description.contains(message), "\(error)")
    }

    @Test func `a forwarder on the command line is listener, host and destination`() throws {
        let plain = try ForwarderEntry.parse("localhost:2244=rdp.site.com")
        #expect(plain.listener == ListenAddress(host: "localhost", port: 2244))
        #expect(plain.hostname == (try .parse("rdp.site.com")))
        #expect(plain.destination == nil)
        let bastion = try ForwarderEntry.parse("2245=https://bastion.site.com:8443,10.0.0.7", defaultPort: 3389)
        #expect(bastion.hostname.port == 8443)
        #expect(bastion.destination == (try .parse("10.0.0.7:3389")))
        #expect(throws: ConfigError.self) { try ForwarderEntry.parse("rdp.site.com") }
        #expect(throws: ConfigError.self) { try ForwarderEntry.parse("x=rdp.site.com") }
        #expect(throws: ConfigError.self) { try ForwarderEntry.parse("1=rdp.site.com,") }
    }
}
