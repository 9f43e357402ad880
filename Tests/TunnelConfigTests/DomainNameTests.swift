import Fuzzing
import Testing

@testable import TunnelConfig

struct DomainNameTests {
    // RFC 3492 section 7.1 and names in use.
    @Test(arguments: [
        ("bücher", "bcher-kva"), ("münchen", "mnchen-3ya"), ("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"),
        ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"), ("3年b組金八先生", "3b-ww4c5e180e575a65lsy2b"),
        ("そのスピードで", "d9juau41awczczp"), ("-> $1.00 <-", "-> $1.00 <--"),
    ])
    func `punycode goes both ways`(label: String, encoded: String) {
        #expect(Punycode.encode(label) == encoded)
        #expect(Punycode.decode(encoded) == label)
    }

    @Test func `punycode refuses overflow and what is no code point`() {
        #expect(Punycode.decode("99999999999999999999") == nil)
        #expect(Punycode.decode("ä") == nil)
        #expect(Punycode.decode("a-!") == nil)
        #expect(Punycode.decode(String(repeating: "a", count: 300)) == nil)
    }

    @Test(arguments: [
        ("Example.COM", "example.com"), ("example.com.", "example.com"), ("Bücher.example", "xn--bcher-kva.example"),
        ("BU\u{308}CHER.example", "xn--bcher-kva.example"), ("例。テスト", "xn--fsq.xn--zckzah"),
        ("*.bücher.example", "*.xn--bcher-kva.example"), ("_acme.example.com", "_acme.example.com"),
    ])
    func `names come to one form`(name: String, ascii: String) {
        #expect(DomainName.ascii(name) == ascii)
    }

    @Test(arguments: [
        "", ".", "a..b", ".a", "a b", "a/b", "a:1", "[::1]", "a\u{0}b", String(repeating: "a", count: 64),
        "ex\u{200B}ample.com", "a\u{2028}b.c",
    ])
    func `what is no name has no form`(name: String) {
        #expect(DomainName.ascii(name) == nil)
    }

    @Test(arguments: [
        ("App.Example.com:8443", "app.example.com"), ("app.example.com.", "app.example.com"), ("[::1]:80", "::1"),
        ("::1", "::1"), ("", ""), ("bücher.example:1", "xn--bcher-kva.example"), ("a.b.:443", "a.b"), ("[", "["),
    ])
    func `the host of an authority has no port`(authority: String, host: String) {
        #expect(DomainName.host(ofAuthority: authority) == host)
    }

    @Test func `random names never trap and their form is stable`() {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<3_000 {
            let text = random.text(from: ["a", "b", "xn--", ".", "-", "ü", "ß", ":", "[", "]", "*", "。"], upTo: 20)
            _ = DomainName.host(ofAuthority: text)
            _ = Punycode.decode(text)
            if let ascii = DomainName.ascii(text) { #expect(DomainName.ascii(ascii) == ascii) }
        }
    }
}
