import Testing

@testable import AccessPolicy

struct ApplicationHostnameTests {
    @Test(arguments: [
        "", ".", "*", "a..b", "a:80", "a/b", "a b", "**.a", "a.b*c*d", "bücher.test", String(repeating: "a", count: 64),
        "https://a", "a.b.\u{0}",
    ])
    func `what is no hostname pattern is none`(text: String) {
        #expect(ApplicationHostname(text) == nil)
    }
}
