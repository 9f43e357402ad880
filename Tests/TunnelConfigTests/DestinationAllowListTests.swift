import Fuzzing
import Testing

@testable import TunnelConfig

struct DestinationAllowListTests {
    /// What a connector does: the first step, then the second for what the name resolved to.
    func reaches(_ entries: [String], _ host: String, _ port: Int, at address: String? = nil) throws -> Bool {
        let list = try DestinationAllowList(entries)
        guard list.permits(host: host, port: port) else { return false }
        return list.permits(address: address ?? host, port: port, host: host)
    }

    @Test(
        arguments: [
            (["rdpserver"], "rdpserver", 3389, "10.0.0.5"), (["rdpserver:3389"], "RDPSERVER.", 3389, "10.0.0.5"),
            (["10.0.0.0/8"], "rdpserver", 3389, "10.0.0.5"), (["10.0.0.0/8:3389"], "10.0.0.5", 3389, "10.0.0.5"),
            (["10.0.0.5"], "10.0.0.5", 1, "10.0.0.5"), (["10.0.0.5:22"], "10.0.0.5", 22, "10.0.0.5"),
            (["[2001:db8::1]:22"], "2001:db8::1", 22, "2001:db8::1"),
            (["2001:db8::1"], "2001:db8::1", 22, "2001:db8::1"),
            (["2001:db8::/32"], "2001:db8::1", 22, "2001:db8::1"), (["[2001:db8::/32]:22"], "h", 22, "2001:db8::1"),
            (["10.0.0.0/8"], "h", 22, "::ffff:10.0.0.1"), (["::ffff:10.0.0.0/104"], "h", 22, "10.1.1.1"),
            (["*.corp.example"], "a.b.corp.example", 22, "10.1.1.1"),
            (["bücher.example"], "xn--bcher-kva.example", 22, "10.1.1.1"),
            (["localhost"], "localhost", 3389, "127.0.0.1"), (["localhost:3389"], "localhost", 3389, "::1"),
            (["localhost"], "127.0.0.1", 3389, "127.0.0.1"), (["127.0.0.1:3389"], "127.0.0.1", 3389, "127.0.0.1"),
            (["127.0.0.0/8"], "h", 3389, "127.0.0.9"), (["127.0.0.1"], "h", 1, "::ffff:127.0.0.1"),
            (["169.254.169.254"], "169.254.169.254", 80, "169.254.169.254"),
            (["169.254.0.0/16"], "h", 80, "169.254.1.1"),
            (["fe80::/10"], "fe80::1", 80, "fe80::1"), (["fd00:ec2::254"], "fd00:ec2::254", 80, "fd00:ec2::254"),
            (["0.0.0.0/0"], "h", 80, "8.8.8.8"), (["64:ff9b::/96"], "h", 80, "64:ff9b::8.8.8.8"),
            (["64:ff9b::169.254.169.254"], "h", 80, "64:ff9b::169.254.169.254"), (["fd00::/8"], "h", 80, "fd00::1"),
        ] as [([String], String, Int, String)])
    func `lets through what is listed`(entries: [String], host: String, port: Int, address: String) throws {
        #expect(try reaches(entries, host, port, at: address))
    }

    @Test(
        arguments: [
            // Not listed
            (["rdpserver"], "other", 3389, "10.0.0.5"), (["rdpserver:3389"], "rdpserver", 22, "10.0.0.5"),
            (["rdpserver"], "rdpserver.evil.example", 3389, "10.0.0.5"),
            (["rdpserver"], "xrdpserver", 3389, "10.0.0.5"),
            (["*.corp.example"], "corp.example", 22, "10.1.1.1"),
            (["*.corp.example"], "evilcorp.example", 22, "10.1.1.1"),
            (["10.0.0.0/8"], "h", 22, "11.0.0.1"), (["10.0.0.0/8:22"], "10.0.0.1", 23, "10.0.0.1"),
            (["10.0.0.5"], "10.0.0.6", 1, "10.0.0.6"),
            (["rdpserver"], "10.0.0.5", 3389, "10.0.0.5"), (["10.0.0.0/8"], "2001:db8::1", 22, "2001:db8::1"),
            // A listed name that resolves to the connector's own host, its link, its cloud
            (["rdpserver"], "rdpserver", 3389, "127.0.0.1"), (["rdpserver"], "rdpserver", 3389, "::1"),
            (["rdpserver"], "rdpserver", 80, "169.254.169.254"),
            (["rdpserver"], "rdpserver", 80, "::ffff:169.254.169.254"),
            (["rdpserver"], "rdpserver", 80, "64:ff9b::169.254.169.254"),
            (["rdpserver"], "rdpserver", 80, "64:ff9b::a9fe:a9fe"),
            (["rdpserver"], "rdpserver", 80, "64:ff9b:1::127.0.0.1"), (["rdpserver"], "rdpserver", 80, "2002:7f00:1::"),
            (["rdpserver"], "rdpserver", 80, "2002:a9fe:a9fe::1"), (["rdpserver"], "rdpserver", 80, "::127.0.0.1"),
            (["rdpserver"], "rdpserver", 80, "::ffff:0:127.0.0.1"),
            (["rdpserver"], "rdpserver", 80, "fd00:ec2::254"), (["rdpserver"], "rdpserver", 80, "fe80::1"),
            (["rdpserver"], "rdpserver", 80, "0.0.0.0"), (["rdpserver"], "rdpserver", 80, "0.1.2.3"),
            (["rdpserver"], "rdpserver", 80, "::"),
            (["rdpserver"], "rdpserver", 80, "224.0.0.1"), (["rdpserver"], "rdpserver", 80, "ff02::1"),
            (["rdpserver"], "rdpserver", 80, "255.255.255.255"),
            (["*.corp.example"], "a.corp.example", 80, "127.0.0.1"),
            // "Everything" does not name them
            (["0.0.0.0/0"], "127.0.0.1", 80, "127.0.0.1"), (["::/0"], "::1", 80, "::1"),
            (["0.0.0.0/0"], "169.254.169.254", 80, "169.254.169.254"),
            (["::/0"], "h", 80, "::ffff:127.0.0.1"), (["::/0"], "h", 80, "64:ff9b::127.0.0.1"),
            (["0.0.0.0/0"], "h", 80, "0.0.0.0"),
            (["64:ff9b::/96"], "h", 80, "64:ff9b::169.254.169.254"), (["fd00::/8"], "h", 80, "fd00:ec2::254"),
            (["128.0.0.0/1"], "h", 80, "169.254.169.254"), (["0.0.0.0/0", "::/0"], "h", 80, "::ffff:169.254.169.254"),
            // Listed on another port, or only one address of the block
            (["127.0.0.1:3389"], "127.0.0.1", 22, "127.0.0.1"), (["127.0.0.1"], "127.0.0.2", 22, "127.0.0.2"),
            (["localhost"], "h", 22, "127.0.0.2"), (["localhost:3389"], "localhost", 22, "127.0.0.1"),
            // Spellings that resolvers take for addresses
            (["0.0.0.0/0"], "2130706433", 80, "127.0.0.1"), (["10.0.0.0/8"], "0x0a.1", 80, "10.0.0.1"),
            (["10.0.0.0/8"], "10.1", 80, "10.0.0.1"),
            (["10.0.0.0/8"], "012.0.0.1", 80, "10.0.0.1"), (["0.0.0.0/0"], "0x7f000001", 80, "8.8.8.8"),
            // Nonsense
            (["0.0.0.0/0"], "", 80, "8.8.8.8"), (["0.0.0.0/0"], "h", 0, "8.8.8.8"),
            (["0.0.0.0/0"], "h", 65536, "8.8.8.8"),
            (["0.0.0.0/0"], "h", -1, "8.8.8.8"), (["::/0"], "h", 80, "fe80::1%eth0"),
            (["::/0"], "h", 80, "2001:db8::1%1"),
            (["0.0.0.0/0"], "h", 80, "localhost"), (["0.0.0.0/0"], "a b", 80, "8.8.8.8"),
            (["0.0.0.0/0"], "[::1]", 80, "8.8.8.8"),
            (["0.0.0.0/0"], "*.x", 80, "8.8.8.8"), (["0.0.0.0/0"], "h", 80, ""),
        ] as [([String], String, Int, String)])
    func `refuses everything else`(entries: [String], host: String, port: Int, address: String) throws {
        #expect(try !reaches(entries, host, port, at: address))
    }

    @Test func `an address literal that is not listed is refused in the first step, before any look-up`() throws {
        let list = try DestinationAllowList(["rdpserver", "10.0.0.0/8"])
        #expect(!list.permits(host: "127.0.0.1", port: 22))
        #expect(!list.permits(host: "169.254.169.254", port: 80))
        #expect(!list.needsResolution(host: "10.0.0.1"))
        #expect(list.needsResolution(host: "rdpserver"))
    }

    @Test func `a name is not resolved when no entry could allow it`() throws {
        #expect(try !DestinationAllowList(["rdpserver"]).permits(host: "other", port: 3389))
        #expect(try !DestinationAllowList(["10.0.0.0/8:22"]).permits(host: "other", port: 3389))
    }

    @Test func `an empty list is refused`() {
        #expect(configError { _ = try DestinationAllowList([]) }?.description.contains("--bastion-allow") == true)
    }

    @Test(arguments: [
        "", "h:", "h:0", "h:99999", "h:x", "10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0/8", "[::1", "[::1]x", "[h]:22",
        "a b", "*", "*x.com",
        "a.*.b", "::1/129", "10.1", "2130706433", "http://h", "user@h", "fe80::1%eth0", "h:22:33", "[10.0.0.1]:22",
        "h/8", "10.0.0.0/8/8",
    ])
    func `an entry that cannot be read is named`(entry: String) {
        let error = configError { _ = try DestinationAllowList(["fine", entry]) }
        #expect(error?.description.contains(quoted(entry)) == true)
    }

    @Test func `random entries and hosts never trap`() {
        var random = SeededGenerator(seed: 6)
        let pieces = ["10", ".", "0", "/", "8", ":", "[", "]", "::", "ff", "h", "*", "%", "127.0.0.1", "localhost"]
        for _ in 0..<5_000 {
            let list = try? DestinationAllowList([random.text(from: pieces, upTo: 6)])
            let host = random.text(from: pieces, upTo: 6)
            _ = list?.permits(host: host, port: 80)
            _ = list?.permits(address: host, port: 80, host: random.text(from: pieces, upTo: 4))
        }
    }
}
