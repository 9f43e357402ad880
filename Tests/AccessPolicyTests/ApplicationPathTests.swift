import Testing

@testable import AccessPolicy

struct ApplicationPathTests {
    @Test(arguments: [
        ("/alpha", "/alpha", true), ("/alpha", "/alpha/", true), ("/alpha", "/alpha/b", true),
        ("/alpha", "/alphabet", false), ("/alpha", "/alph", false), ("/alpha", "/", false), ("/alpha", "/Alpha", false),
        ("/alpha/", "/alpha", true), ("", "/", true), ("/", "/anything", true), ("/alpha/*", "/alpha", false),
        ("/alpha/*", "/alpha/", true), ("/alpha/*", "/alpha/x/y", true), ("/alpha*", "/alphabet", true),
        ("/alpha/*/beta", "/alpha/x/beta", true), ("/alpha/*/beta", "/alpha/x/y/beta", true),
        ("/alpha/*/beta", "/alpha/x/beta/", true), ("/alpha/*/beta", "/alpha/x/beta/c", false),
        ("/alpha/*/beta", "/alpha/beta", false), ("/*/b*c/*/d", "/x/bc/y/d", true), ("/*/aab/*", "/x/aaab/aab/y", true),
        ("/*/aab/*", "/x/aaab/y", false), ("/*.php", "/x/y.php", true), ("/*.php", "/x/y.php5", false),
        ("/a*a", "/a", false), ("/café", "/café/x", true),
    ])
    func `a pattern covers its paths`(pattern: String, path: String, isCovered: Bool) throws {
        let pattern = try #require(ApplicationPath(pattern))
        #expect(pattern.matches(Array(path.utf8)) == isCovered)
    }

    @Test func `folded, the case of letters does not count`() throws {
        let path = try #require(ApplicationPath("/Alpha/*/x"))
        #expect(path.matches(folded: Array("/alpha/b/x".utf8)))
        #expect(!path.matches(Array("/alpha/b/x".utf8)))
    }

    @Test(arguments: [
        "alpha", "/a//b", "/a/../b", "/a/.", "/a;b", "/a\\b", "/a%2fb", "/a%", "/a?b", "/a#b", "/a**", "/a/b*c*d",
        "/a.", "/a%25b", "/a\u{0}", "/" + String(repeating: "a", count: 1024),
    ])
    func `what can be read in several ways is no pattern`(text: String) {
        #expect(ApplicationPath(text) == nil)
    }

    @Test(arguments: [
        ("app.test", "app.test"), ("APP.test/", "app.test"), ("*.bücher.test/a/", "*.xn--bcher-kva.test/a"),
        ("app.test/%61", "app.test/a"),
    ])
    func `a domain is read in one form`(text: String, form: String) throws {
        #expect(try ApplicationDomain.parse(text).description == form)
    }

    @Test(arguments: [
        ("https://app.test", "scheme"), ("app.test:80/x", "port"), ("", "host name"), ("/x", "host name"),
        ("*", "host name"), ("a.*b*.test", "host name"), ("app.test/a/../b", "plain"), ("app.test/a?b", "plain"),
    ])
    func `what is no domain says why`(text: String, why: String) {
        #expect(problem { try ApplicationDomain.parse(text) }.contains(why))
    }
}
