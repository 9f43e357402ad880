import EdgeStore
import Testing

@Suite struct AccountTests {
    @Test func `hostnames inside the zone are stored in one form`() throws {
        #expect(try Account.sample.hostname("RDP.Site.Test.") == "rdp.site.test")
        #expect(try Account.sample.hostname("site.test") == "site.test")
        #expect(try Account.sample.hostname("*.a.site.test") == "*.a.site.test")
        #expect(try Account.sample.hostname("bücher.site.test") == "xn--bcher-kva.site.test")
        #expect(try Account.sample.hostname("_x.site.test") == "_x.site.test")
    }

    @Test(arguments: ["other.test", "evilsite.test", "site.test.other.com", "api.site.test", "acme.site.test"])
    func `hostnames of others and of the edge are refused`(_ name: String) async {
        #expect(await storeErrorCode { _ = try Account.sample.hostname(name) } == .hostnameRefused)
    }

    @Test(arguments: [
        "", ".", "*", "a..site.test", "a b.site.test", "a.*.site.test", "x*.site.test", "-a.site.test", "a:1.site.test",
    ])
    func `what is no hostname is refused`(_ name: String) async {
        #expect(await storeErrorCode { _ = try Account.sample.hostname(name) } == .invalid)
    }

    @Test func `the error names the zone`() {
        let error = #expect(throws: StoreError.self) { _ = try Account.sample.hostname("rdp.other.test") }
        #expect(
            error?.message
                == "rdp.other.test is not inside this edge's zone site.test; use a name that ends in .site.test")
    }
}
