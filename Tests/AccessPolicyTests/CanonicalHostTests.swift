import Fuzzing
import Testing

@testable import AccessPolicy

struct CanonicalHostTests {
    @Test(arguments: [
        ("app.test", "app.test"), ("APP.Test", "app.test"), ("app.test.", "app.test"), ("app.test:443", "app.test"),
        ("app.test.:8443", "app.test"), ("app.test:", "app.test"), ("bücher.test", "xn--bcher-kva.test"),
        ("BÜCHER.test", "xn--bcher-kva.test"), ("XN--BCHER-KVA.test", "xn--bcher-kva.test"),
        ("bu\u{308}cher.test", "xn--bcher-kva.test"), ("app\u{3002}test", "app.test"), ("192.0.2.1:80", "192.0.2.1"),
        ("[2001:DB8:0::1]:80", "2001:db8::1"), ("[::FFFF:192.0.2.1]", "::ffff:c000:201"),
    ])
    func `every spelling of a host is one value`(authority: String, name: String) {
        #expect(CanonicalHost(authority: authority)?.name == name)
    }

    @Test(arguments: [
        "", ".", "app..test", "app.test..", "app.test:80x", "app.test:123456", "a@app.test", "app.test/x", "*.test",
        "app%2etest", "app test", "app.test\u{0}", "[::1", "[::1]x", "[app.test]", "[192.0.2.1]", "::1", "a:1:2",
        String(repeating: "a", count: 64) + ".test", String(repeating: "a.", count: 600),
    ])
    func `what is no host is none`(authority: String) {
        #expect(CanonicalHost(authority: authority) == nil)
    }

    @Test func `random bytes never trap`() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<3_000 {
            let bytes = (0..<Int.random(in: 0...24, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            _ = CanonicalHost(authority: String(decoding: bytes, as: UTF8.self))
        }
    }
}
