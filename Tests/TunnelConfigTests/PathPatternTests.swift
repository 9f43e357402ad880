import Testing

@testable import TunnelConfig

struct PathPatternTests {
    @Test(arguments: [
        ("admin", "/x/administrator", true), ("^/admin", "/x/admin", false), ("^/admin", "/administrator", true),
        ("^/admin$", "/admin", true), ("^/admin$", "/admin/", false), ("\\.(jpg|png|css)$", "/a/b.png", true),
        ("\\.(jpg|png|css)$", "/a/b.pngx", false), ("/[a-z]+/\\d{2,4}", "/abc/1", false),
        ("/[a-z]+/\\d{2,4}", "/abc/12", true),
        ("a{2}", "xaay", true), ("a{2,}", "a", false), ("^a{0,2}$", "aaa", false), ("(?i)ADMIN", "/Admin", true),
        ("(?i:A)b", "aB", false), ("(?i:A)b", "ab", true), ("^(?:a|b)*c$", "ababc", true),
        ("(?P<id>x)(?<n>y)", "xy", true),
        ("[^/]+", "///", false), ("[[:digit:]]x", "5x", true), ("[[:^digit:]]x", "5x", false), ("[]a]b", "]b", true),
        ("[a-]b", "-b", true), ("\\Q.*\\E", "/.*", true), ("\\Q.*\\E", "/ab", false), ("\\bfoo\\b", "/foo/", true),
        ("\\bfoo\\b", "/foox", false), ("\\x41\\x{42}", "AB", true), ("\\pL\\p{Nd}", "é5", true),
        ("^\\PL$", "é", false),
        ("a.c", "a\nc", false), ("(?s)a.c", "a\nc", true), ("(?m)^b$", "a\nb\nc", true), ("^b$", "a\nb", false),
        ("x*", "", true), ("", "/anything", true), ("a{,2}", "a{,2}", true), ("{", "{", true), ("a??b", "b", true),
        ("(|a)+$", "", true), ("ü", "/ü", true), ("\\/api\\/", "/api/", true), ("[\\w-]+@", "a-b@", true),
        ("\\Aa\\z", "a", true),
        ("^/(api|v[12])/", "/v2/x", true), ("\\D\\W\\S", "a-b", true), ("(a*)*b", "aaab", true), ("[^\\s]", " ", false),
    ])
    func `searches as RE2 does`(pattern: String, path: String, matches: Bool) throws {
        #expect(try PathPattern(pattern).matches(path) == matches)
    }

    @Test(arguments: [
        "(", ")", "(a", "a)", "[", "[a", "[z-a]", "*", "+a", "a**", "a{2}{3}*?*", "\\", "\\1", "\\k", "(?=a)", "(?!a)",
        "(?<=a)",
        "(?P=a)", "(?z)", "a{1001}", "(a{100}){100}", "a{3,2}", "\\x{110000}", "\\xZZ", "[[:what:]]", "\\p{Greek}",
        "(?i", "|*",
        "(?P<>a)", "[\\", "(?P<a b>c)",
    ])
    func `refuses what RE2 refuses`(pattern: String) {
        #expect(throws: ConfigError.self) { try PathPattern(pattern) }
    }

    @Test func `a pattern that makes backtracking engines explode is answered at once`() throws {
        let path = String(repeating: "a", count: 20_000) + "!"
        for pattern in ["(a+)+$", "(a*)*x", "(a|aa)+$", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$"] {
            #expect(try PathPattern(pattern).matches(path) == false)
        }
    }

    @Test func `depth and size are bounded`() {
        #expect(throws: ConfigError.self) { try PathPattern(String(repeating: "(", count: 3_000)) }
        #expect(throws: ConfigError.self) { try PathPattern(String(repeating: "(a", count: 1_500)) }
        #expect(throws: ConfigError.self) { try PathPattern("(" + String(repeating: "a", count: 100) + "){50}") }
        #expect(throws: ConfigError.self) { try PathPattern(String(repeating: "a", count: 5_000)) }
        #expect(throws: ConfigError.self) { try PathPattern("(((){900}){900}){900}") }
    }
}
