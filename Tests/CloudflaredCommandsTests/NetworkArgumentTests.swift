import Testing
import TunnelConfig

@testable import CloudflaredCommands

struct NetworkArgumentTests {
    @Test(arguments: [
        ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3/32", "10.1.2.3/32"), ("255.255.255.255/0", "0.0.0.0/0"),
        ("192.168.255.7/17", "192.168.128.0/17"), ("fd00:1::5/16", "fd00::/16"), ("::1/128", "::1/128"),
        ("ffff::/0", "::/0"),
    ])
    func `a network is masked`(text: String, network: String) throws {
        #expect("\(try IPPrefix(argument: text))" == network)
    }

    @Test(arguments: [
        "", "/", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/8/8", "::/129", "10.1/8", "a/8", "::/",
    ])
    func `what is no network is refused`(text: String) {
        let error = #expect(throws: CommandError.self) { try IPPrefix(argument: text) }
        #expect(error?.code == .usage)
    }
}
