import Foundation
import Testing
import TunnelConfig

@testable import AccessPolicy

struct AccessDocumentTests {
    let providers = """
        identity_providers:
          - id: corp
            name: Corporation
            type: oidc
            config:
              issuer: https://login.example.com/realm/
              client_id: edge
              client_secret: "hunter2: {}"
              scopes: [openid, email, groups]
              claims: [department]
              email_claim_name: mail
              assume_email_verified: true
              ca_pool: /etc/ca.pem
          - {name: other, config: {issuer: "https://other.test:8443", client_id: e, client_secret_file: s.txt}}
        """

    @Test func `identity providers are read, with secrets in files`() throws {
        let file = try AccessFile.parse(
            providers, path: "access.yml", secrets: { path throws(ConfigError) in "secret of \(path)" })
        let (corp, other) = (file.providers[0], file.providers[1])
        #expect(corp.issuer == "https://login.example.com/realm" && corp.name == "Corporation")
        #expect(corp.clientSecret.text == "hunter2: {}" && corp.scopes == ["email", "groups"])
        #expect(corp.claims == ["department"] && corp.emailClaim == "mail" && corp.assumesEmailVerified)
        #expect(corp.authorityFile == "/etc/ca.pem")
        #expect(other.id == "other" && other.clientSecret.text == "secret of s.txt" && !other.assumesEmailVerified)
        #expect(other.scopes == ["email", "profile"])
    }

    @Test(arguments: [
        ("type: oidc", "type: saml", "identity_providers[0].type: is not a known type"),
        ("https://login", "http://login", "is not the address of an issuer"),
        ("client_id: edge", "client_ip: edge", "did you mean client_id?"),
        ("client_id: edge", "scopes: [a]", "access.yml"), ("[openid, email, groups]", "[\"a b\"]", "is not one word"),
        (
            "client_secret: \"hunter2: {}\"", "client_secret: [hunter2]",
            "client_secret: expected a string, found something"
        ),
        ("client_secret: \"hunter2: {}\"", "claims: []", "access.yml"), ("name: other", "name: corp", "is given twice"),
        ("{name: other", "{id: x, name: other", "client_secret_file: cannot be read from here"),
        ("client_secret_file: s.txt", "client_secret: a, client_secret_file: b", "is given beside client_secret"),
    ])
    func `a provider that is wrong is named, without its secret`(part: String, broken: String, expected: String) {
        let file = providers.replacingOccurrences(of: part, with: broken)
        let isAboutFile = expected.contains("cannot be read from here")
        let text = problem {
            if isAboutFile { return try AccessFile.parse(file, path: "access.yml") }
            return try AccessFile.parse(file, path: "access.yml", secrets: { _ throws(ConfigError) in "s" })
        }
        #expect(text.contains(expected), "\(text)")
        #expect(!text.contains("hunter2"))
    }

    @Test func `every part of a file survives as documents`() throws {
        let text =
            AccessFileTests().whole + "\n"
            + providers.replacingOccurrences(of: "client_secret_file", with: "client_secret")
                + """

                  - name: "quo\\"ted \\\\ ü 😀"
                    config: {issuer: https://a.test, client_id: "a b", client_secret: "-"}
                """
        let every = """
            applications:
              - name: all
                domains: ["*.x.test/a/*/b"]
                read_service_tokens_from_header: X-Token
                allowed_origins: [https://a.test]
                policies:
                  - name: p
                    decision: allow
                    include: [everyone, {email_domain: b.test}, {ip: 10.0.0.0/8}, {login_method: corp}, {auth_method: mfa},
                              certificate, {common_name: "c n"}, {ip_list: l}]
            ip_lists: [{id: l, prefixes: ["2001:db8::/32"]}]
            """
        for text in [text, every, "session_duration: 1h30m", ""] {
            let file = try AccessFile.parse(text, path: "access.yml")
            let documents = file.documents
            #expect(try AccessFile(documents) == file)
            for document in documents { #expect(try AccessFile.plain(document) == document) }
        }
    }

    @Test func `a document is never printed with its secret`() throws {
        let provider = IdentityProvider(
            id: "corp", issuer: "https://a.test", clientID: "c", clientSecret: IdentityProvider.ClientSecret("hunter2"))
        let document = AccessDocument(provider)
        var text = "\(document) \(String(reflecting: document)) \(AccessDocument.Change.put(document)) \(provider)"
        dump(document, to: &text)
        dump(provider, to: &text)
        #expect(document.json.contains("hunter2") && !text.contains("hunter2"))
    }

    @Test(arguments: [
        "everyone", "certificate", "any_valid_service_token", "email:ann@example.com", "email_domain:example.com",
        "ip:10.0.0.0/8", "ip:2001:db8::/32", "group:rdp users", "geo:PT", "service_token:t", "login_method:corp",
        "auth_method:mfa", "common_name:a:b", "ip_list:l", "oidc:corp:groups=a=b:c",
    ])
    func `a selector is read from a command line`(text: String) throws {
        let selector = try Selector.parse(text)
        let words = text.split(separator: ":", maxSplits: text.hasPrefix("oidc:") ? 2 : 1)
        #expect(selector.description == words.joined(separator: " "))
    }

    @Test(arguments: [
        "", "everybody", "email:", "email:ann", "oidc:corp", "oidc:corp:groups", "mail:a@b.test", "everyone:x", ":",
        "a\nb",
        "{email: a@b.test}", "[everyone]", "\"",
    ])
    func `what is no selector says so`(text: String) {
        #expect(!problem { try Selector.parse(text) }.hasPrefix("made"))
    }
}
