import Access
import Foundation
import Testing

struct SealedBoxTests {
    private let client = SealedBox.KeyPair(secretKey: Array(1...32))
    private let server = SealedBox.KeyPair(secretKey: Array(33...64))
    private let message = Array(#"{"app_token":"A","org_token":"O"}"#.utf8)

    @Test func `the known vector comes out`() throws {
        let (client, server) = (try #require(client), try #require(server))
        #expect(client.publicKey.text == "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9_AsrhtHHw=")
        #expect(server.publicKey.text == "WGmv9FBUlzLLqu1eXfmzCm2jHLDldCutWtShp2jxpns=")
        let wire = try #require(
            SealedBox.seal(message, to: client.publicKey, from: server, nonce: Array(0x64...0x7b)))
        #expect(
            Data(wire).base64EncodedString()
                == "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7W3j7+RbTZYkEtI4JnGj4CYUXzoIdhtWv6CGo6lgQnjIOFde0evs4PSDNUQH9mhITgQ=="
        )
        #expect(SealedBox.open(wire, from: server.publicKey, with: client) == message)
    }

    @Test func `what is short, changed or for somebody else stays closed`() throws {
        let (client, server) = (try #require(client), try #require(server))
        let wire = try #require(SealedBox.seal(message, to: client.publicKey, from: server))
        for count in [0, 1, 23, 24, 39] {
            #expect(SealedBox.open(Array(wire.prefix(count)), from: server.publicKey, with: client) == nil)
        }
        var changed = wire
        changed[changed.count - 1] ^= 1
        #expect(SealedBox.open(changed, from: server.publicKey, with: client) == nil)
        let other = try #require(SealedBox.KeyPair.generate())
        #expect(SealedBox.open(wire, from: server.publicKey, with: other) == nil)
        #expect(SealedBox.open(wire, from: other.publicKey, with: client) == nil)
    }

    @Test func `a key that makes the shared secret zero is refused`() throws {
        let zero = try #require(SealedBox.PublicKey(bytes: [UInt8](repeating: 0, count: 32)))
        #expect(SealedBox.seal(message, to: zero, from: try #require(server)) == nil)
    }

    @Test(arguments: [
        "", "AAAA", "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9_AsrhtHH", "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw=",
        "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9_AsrhtHHx=", "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9_AsrhtHHw==",
    ])
    func `what is no key is none`(text: String) {
        #expect(SealedBox.PublicKey(text: text) == nil)
    }

    @Test func `a secret is not described`() throws {
        let text = "\(try #require(client)) " + String(reflecting: try #require(client))
        #expect(text.contains("redacted"))
        #expect(!text.contains("["))
    }
}
