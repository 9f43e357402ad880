import FoundationEssentials
import Fuzzing
import Testing

@testable import TunnelConfig

struct CredentialsTests {
    static let id = UUID(uuidString: "99999999-8888-7777-6666-555555555555")
    static let secret = [UInt8](repeating: 0x41, count: 32)
    static let token =
        "eyJhIjoiYWNjdDAxMjMiLCJzIjoiUVVGQlFVRkJRVUZCUVVGQlFVRkJRVUZCUVVGQlFVRkJRVUZCUVVGQlFVRT0iLCJ0IjoiOTk5"
        + "OTk5OTktODg4OC03Nzc3LTY2NjYtNTU1NTU1NTU1NTU1In0="

    func credentials(endpoint: String? = nil) throws -> TunnelCredentials {
        TunnelCredentials(
            accountTag: "acct0123", tunnelSecret: TunnelSecret(Self.secret), tunnelID: try #require(Self.id),
            endpoint: endpoint)
    }

    @Test func `a token is read and written byte for byte`() throws {
        #expect(TunnelToken.encode(try credentials()) == Self.token)
        #expect(try TunnelToken.parse(Self.token) == credentials())
    }

    @Test func `a token may be URL base64, unpadded, with white space around and an endpoint`() throws {
        let full = TunnelCredentials(
            accountTag: "a??>>~~", tunnelSecret: TunnelSecret([0xFB, 0xFF, 0xFE]), tunnelID: try #require(Self.id),
            endpoint: "fed")
        let token = TunnelToken.encode(full)
        let url = token.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        #expect(try TunnelToken.parse(token) == full)
        #expect(try TunnelToken.parse("  \(url)\n") == full)
    }

    @Test(arguments: [
        "", " ", "abc", "!!!!", "e30=", "eyJhIjoxfQ==", "bm90IGpzb24=", "eyJhIjoiYSIsInMiOiJRUT09IiwidCI6IngifQ==",
        "eyJhIjoiIiwicyI6IlFRPT0iLCJ0IjoiOTk5OTk5OTktODg4OC03Nzc3LTY2NjYtNTU1NTU1NTU1NTU1In0=", "a\nb=", "W10=",
    ])
    func `a token that is none is refused with a remedy and not repeated`(text: String) {
        let error = configError { _ = try TunnelToken.parse(text) }
        #expect(error?.suggestion?.contains("tunnel token") == true)
        if text.utf8.count > 3 { #expect(error?.description.contains(text) == false) }
    }

    @Test func `a token cut at any length is refused, except where only its padding is lost`() {
        for length in 0..<Self.token.utf8.count - 1 {
            #expect(throws: ConfigError.self) { try TunnelToken.parse(String(Self.token.prefix(length))) }
        }
    }

    @Test func `credentials are read and written`() throws {
        let json =
            #"{"AccountTag":"acct0123","TunnelSecret":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=","#
            + #""TunnelID":"99999999-8888-7777-6666-555555555555","Endpoint":""}"#
        #expect(try TunnelCredentials.parse(json: json, path: "t.json") == credentials())
        #expect(try credentials().json == json)
        #expect(try TunnelCredentials.parse(json: credentials(endpoint: "fed").json, path: "t.json").endpoint == "fed")
    }

    @Test func `an old file takes its tunnel from the reference`() throws {
        let json = #"{"AccountTag":"acct0123","TunnelSecret":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}"#
        #expect(try TunnelCredentials.parse(json: json, path: "t.json", reference: Self.id) == credentials())
        #expect(
            configError { _ = try TunnelCredentials.parse(json: json, path: "t.json") }?.description.contains(
                "no TunnelID") == true)
    }

    @Test(arguments: [
        "", "{}", "[]", "not json", #"{"AccountTag":"a","TunnelSecret":"!","TunnelID":"x"}"#,
        #"{"AccountTag":"a","TunnelSecret":"QUFB","TunnelID":"x"}"#,
        #"{"AccountTag":"","TunnelSecret":"QUFB","TunnelID":"x"}"#,
        #"{"AccountTag":1,"TunnelSecret":"QUFB"}"#, "-----BEGIN ARGO TUNNEL TOKEN-----",
    ])
    func `broken credentials name the file and a remedy`(json: String) {
        let error = configError { _ = try TunnelCredentials.parse(json: json, path: "/etc/t.json") }
        #expect(error?.file == "/etc/t.json")
        #expect(error?.suggestion != nil)
    }

    @Test func `secrets are never printed`() throws {
        let all = try credentials()
        let certificate = OriginCertificate(zoneID: "z", accountID: "a", apiToken: APIToken("hunter2"))
        var dumped = ""
        dump(all, to: &dumped)
        dump(certificate, to: &dumped)
        for text in ["\(all)", String(reflecting: all), dumped, "\(certificate)", String(reflecting: certificate)] {
            #expect(!text.contains("65, 65"))
            #expect(!text.contains("hunter2"))
        }
    }

    @Test func `secrets are equal only when every byte is`() {
        #expect(TunnelSecret([1, 2, 3]) == TunnelSecret([1, 2, 3]))
        #expect(TunnelSecret([1, 2, 3]) != TunnelSecret([1, 2, 4]))
        #expect(TunnelSecret([1, 2, 3]) != TunnelSecret([1, 2]))
    }

    @Test func `a new secret has 32 bytes and is another each time`() {
        #expect(TunnelSecret.generate().bytes.count == 32)
        #expect(TunnelSecret.generate() != TunnelSecret.generate())
    }

    @Test func `identifiers are printed in lower case`() throws {
        let id = try #require(UUID(uuidString: "ABCDEF00-8888-7777-6666-555555555555"))
        #expect(id.lowercased == "abcdef00-8888-7777-6666-555555555555")
    }

    static let certificate = OriginCertificate(zoneID: "zone1", accountID: "acct1", apiToken: APIToken("token1"))

    @Test func `cert.pem is written and read`() throws {
        let pem = Self.certificate.pem
        #expect(
            pem == """
                -----BEGIN ARGO TUNNEL TOKEN-----
                eyJ6b25lSUQiOiJ6b25lMSIsImFjY291bnRJRCI6ImFjY3QxIiwiYXBpVG9rZW4i
                OiJ0b2tlbjEifQ==
                -----END ARGO TUNNEL TOKEN-----

                """)
        #expect(try OriginCertificate.parse(pem: pem, path: "cert.pem") == Self.certificate)
        #expect(
            try OriginCertificate.parse(pem: pem.replacing("\n", with: "\r\n"), path: "cert.pem") == Self.certificate)
    }

    @Test func `an old cert.pem with key and certificate is read, its endpoint in lower case`() throws {
        let other =
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"
        let fed = OriginCertificate(zoneID: "z", accountID: "a", apiToken: APIToken("t"), endpoint: "FED")
        let read = try OriginCertificate.parse(pem: "text\n" + other + fed.pem, path: "cert.pem")
        #expect(read.endpoint == "fed")
    }

    @Test(arguments: [
        ("", "no tunnel token"), (certificate.pem + certificate.pem, "two tunnel tokens"),
        ("-----BEGIN EC KEY-----\nAAAA\n-----END EC KEY-----\n", "unknown block \"EC KEY\""),
        ("-----BEGIN ARGO TUNNEL TOKEN-----\n!!\n-----END ARGO TUNNEL TOKEN-----\n", "not base64"),
        ("-----BEGIN ARGO TUNNEL TOKEN-----\nAAAA\n", "has no end"), ("-----END CERTIFICATE-----\n", "did not start"),
        ("-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n", "starts inside another"),
        ("-----BEGIN ARGO TUNNEL TOKEN-----\nAAAA\n-----END ARGO TUNNEL TOKEN-----\n", "cannot be read"),
        (PEMText.encode(label: "ARGO TUNNEL TOKEN", Array(#"{"zoneID":"z","accountID":"a"}"#.utf8)), "no API token"),
        (PEMText.encode(label: "ARGO TUNNEL TOKEN", Array(#"{"zoneID":"z","apiToken":"t"}"#.utf8)), "no account"),
    ])
    func `a broken cert.pem names the file and says where to take one`(pem: String, message: String) {
        let error = configError { _ = try OriginCertificate.parse(pem: pem, path: "/etc/cert.pem") }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        #expect(error?.file == "/etc/cert.pem")
        #expect(error?.suggestion?.contains("data directory") == true)
    }

    @Test func `random bytes in any credential never trap`() {
        var random = SeededGenerator(seed: 9)
        let pieces = [
            "{", "}", "\"a\":", "\"", "-----BEGIN ", "-----END ", "-----", "\n", "ARGO TUNNEL TOKEN", "=", "AAAA",
            "\\u00", ":",
        ]
        for _ in 0..<3_000 {
            let text = random.text(from: pieces, upTo: 12)
            _ = try? TunnelToken.parse(text)
            _ = try? TunnelCredentials.parse(json: text, path: "x")
            _ = try? OriginCertificate.parse(pem: text, path: "x")
        }
    }
}
