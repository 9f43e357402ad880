import AccessServer
import Testing

struct TeamNamesTests {
    @Test func theIssuerCarriesAPortOnlyWhereBrowsersDo() {
        #expect(
            TeamNames(team: "acme.site.test", store: "login.site.test", port: 443).issuer == "https://acme.site.test")
        #expect(
            TeamNames(team: "acme.site.test", store: "login.site.test", port: 8443).issuer
                == "https://acme.site.test:8443")
    }
}
