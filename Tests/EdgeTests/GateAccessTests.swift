import Access
import AccessPolicy
import Edge
import EdgeStore
import EdgeTransport
import Foundation
import NIOCore
import NIOHTTP1
import Testing
import TunnelConfig

/// The gate for people: what the Access service answers, and whom its tokens let in.
@Suite(.timeLimit(.minutes(2)))
struct GateAccessTests {
    private let access = AccessDouble()

    /// An edge whose connector describes what reaches it, with the policies of `snapshot`.
    private func withEdge(
        _ snapshot: AccessSnapshot, connected: Bool = true, _ body: (EdgeHarness, PolicyDouble) async throws -> Void
    ) async throws {
        let source = PolicyDouble(snapshot)
        let policies = PolicyCache(source: source, logger: EdgeHarness.quiet)
        try await EdgeHarness.with(access: access, policies: policies) { edge in
            let connector = try await edge.connector(serve: Serve.description)
            try await body(edge, source)
            try await connector.close()
        }
    }

    private static let host = "closed.site.test"
    private static let token = ["-H", "Cf-Access-Token: good"]

    // MARK: What the service answers

    @Test
    func `The metadata header is answered for a guarded host before any policy`() async throws {
        let application = try Cast.application(.selfHosted, [Cast.policy(.deny, .everyone)])
        try await withEdge(Cast.snapshot(application)) { edge, _ in
            let ask = ["-H", "Cf-Access-Metadata-Request: true", "--head"]
            let answer = try await edge.curl(Self.host, "/any", ask)
            #expect(answer.status == 200)
            #expect(answer.head.contains("cf-access-metadata: metadata-of-app"))
            let unguarded = try await edge.curl("open.site.test", "/any", ask)
            #expect(!unguarded.head.contains("cf-access-metadata"))
        }
    }

    @Test(arguments: [
        "/cdn-cgi/access/certs", "//cdn-cgi//access/certs", "/%63dn-cgi/access/certs", "/CDN-CGI/Access/x",
        "/a/../cdn-cgi/access/x", "/cdn-cgi%2faccess/x", "/cdn-cgi/access", "/cdn-cgi\\access/x",
    ])
    func `No spelling of the service's own paths reaches an origin`(path: String) async throws {
        let application = try Cast.application(.selfHosted, [Cast.policy(.bypass, .everyone)])
        try await withEdge(Cast.snapshot(application)) { edge, _ in
            let answer = try await edge.curl(Self.host, path, ["--path-as-is"])
            #expect(answer.status == 200)
            #expect(answer.text.hasPrefix("own GET closed.site.test \(path)"))
        }
    }

    @Test
    func `Team and store hosts are the service's, bodies whole and within a bound`() async throws {
        try await withEdge(Cast.snapshot(Cast.application())) { edge, _ in
            let body = String(repeating: "b", count: 60_000)
            let team = try await edge.curl("access.site.test", "/cdn-cgi/access/x?y", input: Data(body.utf8))
            #expect(team.text == "own POST access.site.test /cdn-cgi/access/x?y none \(body)")
            #expect(try await edge.curl("login.site.test", "/transfer/k").text.hasPrefix("own GET login.site.test"))
            let large = try await edge.curl(
                "access.site.test", "/", ["-H", "expect:"], input: Data(repeating: 7, count: 65_537))
            #expect(large.status == 413)
        }
    }

    @Test
    func `Who has not logged in is sent to the login, upgrades and HEAD too, and scripts are told`() async throws {
        try await withEdge(Cast.snapshot(Cast.application(.rdp))) { edge, _ in
            for arguments in [[], ["--head"], ["-d", "body"]] {
                let answer = try await edge.curl(Self.host, "/path?q", arguments)
                #expect(answer.status == 302)
                #expect(answer.head.lowercased().contains("set-cookie: cf_appsession=x"))
                #expect(answer.head.contains("location: https://access.site.test/cdn-cgi/access/login/\(Self.host)"))
            }
            let visitor = try await edge.visitor(Self.host)
            try await visitor.send(WebSocketTests.request(Self.host))
            #expect(try await visitor.received("\r\n\r\n").hasPrefix("HTTP/1.1 302"))
            try await visitor.close()
            let script = try await edge.curl(Self.host, "/", ["-H", "X-Requested-With: XMLHttpRequest"])
            #expect(script.status == 401)
            #expect(script.head.lowercased().contains("cf-access-aud: \(Cast.audience)"))
        }
    }

    // MARK: Who is let in

    @Test(arguments: [
        ["-H", "Cf-Access-Token: good"], ["-H", "Cf-Access-Token: good", "-H", "cookie: x=y; CF_Authorization=other"],
        ["-H", "Cookie: a=b; CF_Authorization=good"],
        ["-H", "Cookie: CF_Authorization=good; CF_Authorization=good; CF_AppSession=s; CF_Binding =t"],
    ])
    func `A good token lets in, and the connector is told who it is, whatever the visitor says`(shown: [String])
        async throws
    {
        access.issue("good", Cast.claims())
        try await withEdge(Cast.snapshot(Cast.application())) { edge, _ in
            let forged = [
                "Cf-Access-Jwt-Assertion: forged", "cf_access_jwt_assertion: forged",
                "CF-Access-Authenticated-User-Email: forged", "Cf_Access-Authenticated_User_Email: forged",
                "Cf-Access-Metadata: forged", "Connection: cf-access-jwt-assertion",
            ]
            let answer = try await edge.curl(Self.host, "/", shown + forged.flatMap { ["-H", $0] })
            #expect(answer.status == 200)
            #expect(answer.text.contains("cf-access-jwt-assertion: good\n"))
            #expect(answer.text.contains("cf-access-authenticated-user-email: alice@site.test\n"))
            #expect(!answer.text.contains("forged"))
            #expect(!answer.text.contains("CF_Authorization=other"))
            if shown.contains(where: { $0.hasPrefix("Cookie") }) {
                #expect(answer.text.contains("CF_Authorization=good"))
            }
            for kept in ["cf-access-token", "CF_AppSession", "CF_Binding"] { #expect(!answer.text.contains(kept)) }
        }
    }

    @Test
    func `A known token is not verified again`() async throws {
        access.issue("good", Cast.claims())
        try await withEdge(Cast.snapshot(Cast.application())) { edge, _ in
            for _ in 0..<3 {
                let answer = try await edge.curl(Self.host, "/", Self.token)
                #expect(answer.status == 200)
            }
            #expect(access.verified == ["good"])
        }
    }

    static let worthless: [TokenClaims?] = [
        nil, Cast.claims(kind: .org), Cast.claims(kind: .meta),
        Cast.claims(audience: String(repeating: "b", count: 64)),
        Cast.claims(subject: "mallory-id"), Cast.claims(session: "ended"), Cast.claims(life: -1),
        Cast.claims(issued: Date() - 120),
    ]

    @Test(arguments: worthless.indices)
    func `A token that does not count leads to the login`(number: Int) async throws {
        if let claims = Self.worthless[number] { access.issue("good", claims) }
        let snapshot = try Cast.snapshot(Cast.application(), revokedBefore: [Cast.audience: Date() - 60])
        try await withEdge(snapshot) { edge, _ in
            try await edge.expect(302, Self.host, "/", Self.token)
        }
    }

    @Test(arguments: [
        ["-H", "Cookie: CF_Authorization=good; CF_Authorization=other"],
        ["-H", "Cookie: CF_Authorization=good", "-H", "Cookie: CF_Authorization=other"],
        ["-H", "Cf-Access-Token: good", "-H", "Cf-Access-Token: other"],
    ])
    func `Tokens that disagree are refused`(shown: [String]) async throws {
        access.issue("good", Cast.claims())
        try await withEdge(Cast.snapshot(Cast.application())) { edge, _ in
            try await edge.expect(400, Self.host, "/", shown)
        }
    }

    @Test
    func `A session that began a moment ago counts at once`() async throws {
        access.issue("good", Cast.claims())
        try await withEdge(Cast.snapshot(Cast.application(), sessions: [])) { edge, policies in
            try await edge.expect(302, Self.host, "/", Self.token)
            policies.set(try Cast.snapshot(Cast.application()))
            try await edge.expect(200, Self.host, "/", Self.token)
        }
    }

    @Test
    func `Who has logged in and may not enter is told so, by name and application`() async throws {
        access.issue("good", Cast.claims())
        let bob = Cast.policy(.allow, .email(ExactText(folding: "bob@site.test")))
        try await withEdge(Cast.snapshot(Cast.application(.selfHosted, [bob]))) { edge, _ in
            let answer = try await edge.curl(Self.host, "/", Self.token)
            #expect(answer.status == 403)
            #expect(answer.text.contains("alice@site.test may not enter \(Self.host)"))
            #expect(answer.head.lowercased().contains("cf-access-domain: \(Self.host)"))
        }
    }

    @Test
    func `A check of a token is answered without the connector`() async throws {
        access.issue("good", Cast.claims())
        try await withEdge(Cast.snapshot(Cast.application())) { edge, _ in
            let good = try await edge.curl(Self.host, "/?a=b&cloudflared_token_check=true", Self.token)
            #expect(good.status == 200)
            #expect(good.text.isEmpty)
            try await edge.expect(302, Self.host, "/?cloudflared_token_check=true")
        }
    }

    // MARK: Programs

    private static let program = [
        "-H", "Cf-Access-Client-Id: visitor.access", "-H", "Cf-Access-Client-Secret: \(EdgeHarness.serviceSecret)",
    ]

    @Test
    func `A service token gets an assertion, signed once, and a cookie where people can log in too`() async throws {
        let byProgram = Cast.policy(.nonIdentity, .anyValidServiceToken)
        try await withEdge(Cast.snapshot(Cast.application(.selfHosted, [byProgram, Cast.alice]))) { edge, _ in
            var answer = try await edge.curl(Self.host, "/", Self.program)
            #expect(answer.text.contains("cf-access-jwt-assertion: assertion-app-visitor.access\n"))
            #expect(!answer.text.contains(EdgeHarness.serviceSecret))
            #expect(answer.head.contains("set-cookie: CF_Authorization=assertion-app-visitor.access; Path=/; Secure"))
            #expect(answer.head.contains(" GMT"))
            answer = try await edge.curl(Self.host, "/", Self.program)
            #expect(access.signed == 1)
            let cookie = ["-H", "Cookie: CF_Authorization=assertion-app-visitor.access"]
            answer = try await edge.curl(Self.host, "/", cookie)
            #expect(answer.text.contains("cf-access-jwt-assertion: assertion-app-visitor.access\n"))
        }
    }

    @Test
    func `A service token in the application's own header counts, and does not reach the origin`() async throws {
        var application = try Cast.application(.selfHosted, [Cast.policy(.nonIdentity, .anyValidServiceToken)])
        application.serviceTokenHeader = "Authorization"
        try await withEdge(Cast.snapshot(application)) { edge, _ in
            let pair =
                #"{"cf-access-client-id":"visitor.access","cf-access-client-secret":"\#(EdgeHarness.serviceSecret)"}"#
            let answer = try await edge.curl(Self.host, "/", ["-H", "Authorization: \(pair)"])
            #expect(answer.status == 200)
            #expect(!answer.text.contains(EdgeHarness.serviceSecret))
            #expect(!answer.head.contains("CF_Authorization"))
        }
    }

    @Test
    func `Without an assertion nobody is let in`() async throws {
        access.stopSigning()
        let application = try Cast.application(.selfHosted, [Cast.policy(.nonIdentity, .anyValidServiceToken)])
        try await withEdge(Cast.snapshot(application)) { edge, _ in
            try await edge.expect(503, Self.host, "/", Self.program)
        }
    }

    @Test
    func `Wrong service tokens are looked at only so often, from one address and for one id`() async throws {
        let application = try Cast.application(.selfHosted, [Cast.policy(.nonIdentity, .anyValidServiceToken)])
        try await withEdge(Cast.snapshot(application)) { edge, _ in
            let wrong = ["-H", "Cf-Access-Client-Id: visitor.access", "-H", "Cf-Access-Client-Secret: wrong"]
            for _ in 0..<10 { try await edge.expect(403, Self.host, "/", wrong) }
            try await edge.expect(429, Self.host, "/", wrong)
            try await edge.expect(429, Self.host, "/", Self.program)
        }
    }

    @Test
    func `Bypass tells the connector nothing`() async throws {
        access.issue("good", Cast.claims())
        let application = try Cast.application(.selfHosted, [Cast.policy(.bypass, .everyone)])
        try await withEdge(Cast.snapshot(application)) { edge, _ in
            let answer = try await edge.curl(
                Self.host, "/", Self.token + Self.program + ["-H", "Cf-Access-Jwt-Assertion: good"])
            #expect(answer.status == 200)
            #expect(!answer.text.contains("cf-access"))
            #expect(access.verified.isEmpty)
        }
    }

    // MARK: TCP

    @Test
    func `A page of another site gets no plain request through to a TCP application either`() async throws {
        access.issue("good", Cast.claims())
        try await withEdge(Cast.snapshot(Cast.application(.ssh))) { edge, _ in
            try await edge.expect(200, Self.host, "/", Self.token)
            for origin in ["https://other.test", "https://\(Self.host)"] {
                try await edge.expect(403, Self.host, "/", Self.token + ["-H", "Origin: \(origin)"])
            }
        }
    }

    @Test(arguments: [AccessApplication.Kind.selfHosted, .ssh, .rdp, .tcp])
    func `Whoever names a destination ends up nowhere else`(kind: AccessApplication.Kind) async throws {
        access.issue("good", Cast.claims())
        try await withEdge(Cast.snapshot(Cast.application(kind))) { edge, _ in
            for name in ["Cf-Access-Jump-Destination", "cf_access_jump_destination"] {
                let answer = try await edge.curl(Self.host, "/", Self.token + ["-H", "\(name): 10.1.2.3:22"])
                #expect(answer.status == 403)
                #expect(answer.text.contains("--type bastion --destination"))
            }
        }
    }

    @Test
    func `Work for a visitor who left ends at once`() async throws {
        try await withEdge(Cast.snapshot(Cast.application())) { edge, _ in
            for head in ["GET /hold HTTP/1.1\r\n", "POST /hold HTTP/1.1\r\nContent-Length: 2\r\n"] {
                let visitor = try await edge.visitor("login.site.test")
                let body = head.hasPrefix("POST") ? "ab" : ""
                try await visitor.send("\(head)Host: login.site.test\r\n\r\n\(body)")
                var holds = access.holds.makeAsyncIterator()
                #expect(await holds.next() == .begun)
                try await visitor.close()
                #expect(await holds.next() == .cancelled)
            }
        }
    }

    @Test(arguments: [
        ("", "HTTP/1.1 502"), ("Origin: https://closed.site.test\r\n", "HTTP/1.1 403"),
        ("Origin: https://desk.site.test\r\n", "HTTP/1.1 502"), ("Origin: null\r\n", "HTTP/1.1 403"),
    ])
    func `Pages open no TCP application unless it lists them`(origin: String, status: String) async throws {
        access.issue("good", Cast.claims())
        var application = try Cast.application(.rdp)
        application.allowedOrigins = ["https://desk.site.test"]
        try await EdgeHarness.with(
            access: access,
            policies: PolicyCache(source: PolicyDouble(try Cast.snapshot(application)), logger: EdgeHarness.quiet)
        ) { edge in
            // The connector refuses whatever reaches it.
            let connector = try await edge.connector { $0.refuse() }
            let visitor = try await edge.visitor(Self.host)
            try await visitor.send(WebSocketTests.request(Self.host, "Cf-Access-Token: good\r\n" + origin))
            #expect(try await visitor.received("\r\n\r\n").hasPrefix(status))
            try await visitor.close()
            try await connector.close()
        }
    }

    static let destinations: [(header: [String], reaches: String?)] = [
        (["desk.internal:3389"], "desk.internal:3389"), (["rdp://desk.internal/x"], "desk.internal:3389"),
        (["10.1.2.3:3389"], "10.1.2.3:3389"), (["[::ffff:10.1.2.3]:3389"], "[::ffff:a01:203]:3389"),
        (["10.1.2.3:22"], nil), (["other.internal:3389"], nil), (["127.0.0.1:3389"], nil),
        (["[::ffff:127.0.0.1]:3389"], nil), (["2130706433:3389"], nil), (["0x7f.1:3389"], nil),
        (["169.254.169.254:3389"], nil), (["[fd00:ec2::254]:3389"], nil), (["u@desk.internal:3389"], nil),
        (["desk.internal"], nil), ([], nil), (["desk.internal:3389", "desk.internal:3389"], nil),
    ]

    @Test(arguments: destinations.indices)
    func `A bastion leads only where its list does`(number: Int) async throws {
        let (header, reaches) = Self.destinations[number]
        access.issue("good", Cast.claims())
        var application = try Cast.application(.bastion)
        application.destinations = [
            DestinationGrant(destinations: try DestinationAllowList(["desk.internal:3389", "10.0.0.0/8:3389"])),
            DestinationGrant(
                destinations: try DestinationAllowList(["10.1.2.3:22"]),
                criteria: Criteria(include: [.email(ExactText(folding: "bob@site.test"))])),
        ]
        try await withEdge(Cast.snapshot(application)) { edge, _ in
            let shown = header.flatMap { ["-H", "Cf-Access-Jump-Destination: \($0)"] }
            let answer = try await edge.curl(Self.host, "/", Self.token + shown)
            #expect(answer.status == (reaches == nil ? 403 : 200), "\(answer.text)")
            if let reaches { #expect(answer.text.contains("cf-access-jump-destination: \(reaches)\n")) }
        }
    }
}

extension EdgeHarness {
    /// Asks, and wants this status.
    fileprivate func expect(
        _ status: Int, _ host: String, _ path: String, _ arguments: [String] = [],
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        let answer = try await curl(host, path, arguments)
        #expect(answer.status == status, "\(answer.text)", sourceLocation: location)
    }
}
