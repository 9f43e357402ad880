import Fuzzing
import Testing

@testable import AccessPolicy

struct CanonicalPathTests {
    func readings(_ target: String) -> [String]? {
        CanonicalPath(target)?.readings.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: [
        ("/", "/"), ("/a/b", "/a/b"), ("/a/b/", "/a/b/"), ("/a?x=/../b", "/a"), ("/a#b", "/a"), ("/%61", "/a"),
        ("/%7Euser", "/~user"), ("/%7euser", "/~user"), ("/caf%c3%a9", "/café"), ("/café", "/café"),
        ("/a%20b", "/a b"), ("/a.b", "/a.b"), ("/.well-known/x", "/.well-known/x"), ("/a..b", "/a..b"), ("/A", "/A"),
        ("/a@b:c,d", "/a@b:c,d"),
    ])
    func `an ordinary path has one reading`(target: String, reading: String) {
        #expect(readings(target) == [reading])
    }

    @Test(arguments: [
        ("/a//b", "/a/b"), ("//b", "/b"), ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/a/%2e%2E/b", "/b"),
        ("/../../b", "/b"), ("/a/..", "/"), ("/a/.", "/a/"), ("/a%2fb", "/a/b"), ("/a%2Fb", "/a/b"),
        ("/a\\b", "/a/b"), ("/a%5cb", "/a/b"), ("/b;v=1", "/b"), ("/b%3bv=1", "/b"), ("/b;v/c;w", "/b/c"),
        ("/x/..;/b", "/b"), ("/x/..;a=b/b", "/b"), ("/x/%2e%2e%3b/b", "/b"), ("/x%2f..%2fb", "/b"),
        ("/x/..\\b", "/b"), ("/x/..%5Cb", "/b"), ("/%252e%252e/b", "/b"), ("/x/%25252e%25252e/b", "/b"),
        ("/%2562", "/b"), ("/b%3fx", "/b"), ("/b%23x", "/b"), ("/b%253Fx", "/b"), ("/b.", "/b"), ("/b%20", "/b"),
        ("/b.%20./c", "/b/c"), ("/x/.;/../b", "/b"), ("/x//../b", "/x/b"), ("/x//../b", "/b"),
        ("/x/..;a/../b", "/x/b"), ("/x/..;a/../b", "/b"), ("/x;p/..;a/../b;q", "/x/b"), ("/%2f/b", "/b"),
    ])
    func `what some origin could read is among the readings`(target: String, reading: String) throws {
        let all = try #require(readings(target))
        #expect(all.contains(reading))
        #expect(Set(all).count == all.count)
    }

    @Test(arguments: [
        "", "a", "*", "http://a/b", "/%", "/%4", "/%zz", "/%u0041", "/%00", "/%0a", "/a\u{7f}", "/a\u{1}", "/%c0%ae",
        "/%ff", "/%2500", "/%25%30%30", "/%25c0%25ae", "/" + String(repeating: "a", count: 8192),
        "/" + String(repeating: "%2f..;\\./", count: 500),
    ])
    func `what nobody can be sure of is no path`(target: String) {
        #expect(CanonicalPath(target) == nil)
    }

    @Test func `every reading is at rest or leads to another one`() throws {
        var generator = SeededGenerator(seed: 7)
        let parts = [
            "/", "//", ".", "..", "%2e", "%2F", "%252f", ";", "a", "B", "%61", "\\", "%5c", " ", "%", "?", "é",
        ]
        for _ in 0..<500 {
            let text = "/" + (0..<8).map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
            guard let path = CanonicalPath(text) else { continue }
            let all = Set(path.readings)
            for reading in path.readings {
                #expect(reading.first == slash)
                for step in PathStep.allCases { #expect(step(reading).map(all.contains) == true, "\(text)") }
            }
        }
    }

    @Test func `what belongs to the edge is known in every spelling`() throws {
        for target in [
            "/cdn-cgi/access/login", "/cdn-cgi/access", "/CDN-CGI/access/x", "/cdn-cgi//access/x",
            "/%63dn-cgi/access/x",
            "/x/../cdn-cgi/access/x", "/cdn-cgi%2faccess/x", "/cdn-cgi/access;a/x", "//cdn-cgi\\access/x",
        ] {
            #expect(try #require(CanonicalPath(target)).mayBeBelow("/cdn-cgi/access"), "\(target)")
        }
        for target in ["/cdn-cgi/accessory", "/x/cdn-cgi/access/x", "/cdn-cgi", "/?/cdn-cgi/access/"] {
            #expect(try !#require(CanonicalPath(target)).mayBeBelow("/cdn-cgi/access"), "\(target)")
        }
    }

    @Test func `random bytes never trap`() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            _ = CanonicalPath("/" + String(decoding: bytes, as: UTF8.self))
        }
    }
}
