import Testing

@testable import TunnelConfig

struct IngressTests {
    @Test(arguments: [
        ("[]", "ingress: the list has no rules"), ("x", "ingress: expected a list of rules"),
        ("[x]", "ingress[0]: expected a map"),
        ("[{hostname: a.b}]", "ingress[0]: the rule has no service"),
        (
            "[{service: localhost}]",
            "ingress[0].service: \"localhost\" is not an address with scheme and host; did you mean http://localhost?"
        ),
        ("[{service: \"http_status:abc\"}]", "ingress[0].service: \"abc\" is not an HTTP status code"),
        ("[{service: \"http_status:99\"}]", "\"99\" is not an HTTP status code"),
        ("[{service: \"http://a/x\"}]", "a path on the origin is not supported"),
        ("[{service: \"http://a\", originRequest: {ipRules: [{prefix: x}]}}]", "cannot create the ip rule"),
        (
            "[{service: socks-proxy, originRequest: {ipRules: [{prefix: 10.0.0.0/8, ports: [70000]}]}}]",
            "\"70000\" is not a port"
        ),
        (
            "[{service: \"http://a\", originRequest: {access: {required: true, audTag: [x]}}}]",
            "the team name must not be blank"
        ),
        (
            "[{hostname: \"a.b:80\", service: \"http://a\"}, {service: hello_world}]",
            "ingress[0].hostname: the hostname \"a.b:80\" cannot contain a port"
        ),
        ("[{hostname: \"a.*.b\", service: \"http://a\"}, {service: hello_world}]", "wildcard in the wrong place"),
        ("[{hostname: \"*.*.b\", service: \"http://a\"}, {service: hello_world}]", "wildcard in the wrong place"),
        ("[{hostname: a.b, service: \"http://a\"}]", "the last rule must match all requests"),
        ("[{path: x, service: \"http://a\"}]", "the last rule must match all requests"),
        ("[{service: \"http://a\"}, {service: hello_world}]", "Rule #1 matches everything"),
        ("[{hostname: \"*\", service: \"http://a\"}, {service: hello_world}]", "Rule #1 matches everything"),
        (
            "[{hostname: a.b, service: \"http://a\"}, {hostname: \"\", service: \"http://a\"}, {service: hello_world}]",
            "Rule #2 matches everything"
        ),
        (
            "[{hostname: a.b, path: \"(\", service: \"http://a\"}, {service: hello_world}]",
            "ingress[0].path: Rule #1 has an invalid path"
        ),
        ("[{service: bastion}]", "the bastion has no allow-list"),
        ("[{service: x, originRequest: {bastionMode: true}}]", "no allow-list"),
        ("[{service: bastion, bastion: {allow: []}}]", "empty allow-list"),
        ("[{service: \"tcp://a\", originRequest: {proxyType: other}}]", "\"other\" is not a proxy type"),
        (
            "[{service: \"http://a\", originRequest: {connectTimeout: 30}}]",
            "ingress[0].originRequest.connectTimeout: \"30\" is a number without a unit"
        ),
        (
            "[{service: \"http://a\", originRequest: {noTLSVerify: \"yes\"}}]",
            "ingress[0].originRequest.noTLSVerify: expected true or false"
        ),
        ("[{hostname: \"a b\", service: \"http://a\"}, {service: hello_world}]", "is not a host name"),
    ])
    func `validation errors have the official meaning`(rules: String, message: String) {
        let error = configError { _ = try file("ingress: \(rules)") }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        #expect(error?.line == 1)
    }

    @Test func `the first of ipRules that meets address and port decides, and none refuses`() throws {
        let read = try file(
            """
            ingress:
              - service: socks-proxy
                originRequest:
                  ipRules:
                    - {prefix: 10.0.0.0/8, ports: [22, 3389], allow: true}
                    - {prefix: 127.0.0.0/8, allow: false}
                    - {prefix: "::ffff:0:0/96", ports: [80], allow: true}
            """)
        let options = try #require(read.ingress.first).originRequest
        let cases: [(String, Int, Bool)] = [
            ("10.1.2.3", 22, true), ("10.1.2.3", 23, false), ("::ffff:10.1.2.3", 3389, true), ("127.0.0.1", 80, false),
            ("::ffff:127.0.0.1", 80, false), ("192.0.2.1", 80, true), ("192.0.2.1", 81, false), ("0.0.0.0", 80, false),
            ("::", 80, false), ("2001:db8::1", 80, false), ("nonsense", 80, false),
        ]
        for (address, port, allowed) in cases {
            #expect(options.ipRulesAllow(address, port: port) == allowed, "\(address):\(port)")
        }
        let bare = try file("ingress: [{service: socks-proxy}]")
        #expect(bare.warnings.contains { $0.message.contains("reaches nothing without ipRules") })
    }

    @Test(arguments: [
        // Each breaks two things; the earlier check speaks.
        ("[{hostname: \"a:1\", path: \"(\", service: nowhere}, {service: hello_world}]", ".service"),
        (
            "[{hostname: \"a:1\", path: \"(\", service: \"http://a\", originRequest: {access: {required: true}}}, {service: hello_world}]",
            "access"
        ),
        ("[{hostname: \"a:1\", path: \"(\", service: \"http://a\"}, {service: hello_world}]", ".hostname"),
        ("[{path: \"(\", service: \"http://a\"}]", "last rule"),
    ])
    func `each rule is checked in the official order`(rules: String, first: String) {
        #expect(configError { _ = try file("ingress: \(rules)") }?.description.contains(first) == true)
    }

    @Test func `errors point at the line`() {
        let yaml = """
            tunnel: t
            ingress:
              - hostname: a.test
                service: http://a
              - hostname: b.test
                path: /x
                service: localhost
              - service: http_status:404
            """
        #expect(
            configError { _ = try file(yaml) }?.description
                == "config.yml:7: ingress[1].service: \"localhost\" is not an address with scheme and host; did you mean http://localhost?"
        )
    }

    @Test(arguments: [
        "ingress: [{service: hello_world, originRequest: {access: {required: true, teamName: t}}}]",
        "ingress: [{service: hello_world, originRequest: {access: {required: true, teamName: t.evil/, audTag: [x]}}}]",
        "ingress: [{service: hello_world, originRequest: {access: {required: true, issuer: 'http://t', audTag: [x]}}}]",
        "ingress: [{service: hello_world, originRequest: {access: {required: true, issuer: 'https://t/x', audTag: [x]}}}]",
        "originRequest: {access: {required: true, teamName: t}}\ningress: [{service: hello_world}]",
        "originRequest: {access: {required: true}}\nurl: http://a", "originRequest: {access: {required: true}}",
        "originRequest: {access: {required: true}}\ningress: [{hostname: a, service: hello_world, originRequest: {access: {required: false}}}, {service: hello_world}]",
    ])
    func `an Access check that cannot be made is refused, inherited or not`(yaml: String) {
        let text = configError { _ = try file(yaml) }?.description
        #expect(text?.contains("access.") == true)
    }

    @Test(arguments: [
        ("teamName: Acme", "https://acme.cloudflareaccess.com"),
        ("teamName: acme, environment: fed", "https://acme.fed.cloudflareaccess.com"),
        ("issuer: 'https://acme.site.test:8443/'", "https://acme.site.test:8443"),
    ])
    func `an Access check names the team whose keys count, inherited or not`(team: String, issuer: String) throws {
        let access = "{access: {required: true, audTag: [x], \(team)}}"
        for yaml in [
            "ingress: [{service: hello_world, originRequest: \(access)}]",
            "originRequest: \(access)\ningress: [{service: hello_world}]",
        ] {
            let requirement = try #require(try file(yaml).ingress[0].originRequest.access)
            #expect(requirement.required)
            #expect(requirement.issuerURL == issuer)
        }
    }

    @Test func `a rule may switch an inherited check off`() throws {
        let yaml =
            "originRequest: {access: {required: true}}\ningress: [{service: hello_world, originRequest: {access: {required: false}}}]"
        #expect(try file(yaml).ingress[0].originRequest.access?.required == false)
    }

    @Test func `keys without effect for the service are named`() throws {
        let file = try file(
            """
            ingress:
              - hostname: a.test
                service: rdp://localhost
                originRequest: {noTLSVerify: true, originServerName: x, connectTimeout: 1s}
              - hostname: b.test
                service: http://localhost
                originRequest: {noTLSVerify: true, httpHostHeader: x}
              - hostname: "*c.test"
                service: https://localhost
                originRequest: {noTLSVerify: true, proxyPort: 1}
              - service: http_status:404
            """)
        #expect(
            file.warnings.map(\.key) == [
                "ingress[0].originRequest.originServerName", "ingress[0].originRequest.noTLSVerify",
                "ingress[1].originRequest.noTLSVerify", "ingress[2].originRequest.proxyPort", "ingress[2].hostname",
            ])
        #expect(file.warnings.last?.message.contains("*.c.test") == true)
    }

    @Test func `flags for one origin are named when there are rules`() throws {
        let file = try file("url: http://a\nhello-world: true\nbastion: true\ningress: [{service: hello_world}]")
        #expect(file.warnings.map(\.key) == ["url", "hello-world", "bastion"])
    }

    @Test func `a bastion rule takes its list from itself, else from the file`() throws {
        let file = try file(
            """
            bastion: {allow: [a]}
            ingress:
              - {hostname: a.test, service: bastion}
              - {hostname: b.test, service: bastion, bastion: {allow: [b]}}
              - {hostname: c.test, service: bastion, originRequest: {bastion: {allow: [c, d]}}}
              - {hostname: d.test, service: whatever, originRequest: {bastionMode: true}}
              - service: http_status:404
            """)
        #expect(
            file.ingress.dropLast().map { $0.originRequest.bastionAllow?.texts } == [["a"], ["b"], ["c", "d"], ["a"]])
        #expect(file.ingress[3].service == .bastion)
        #expect(file.bastion == nil)
    }

    /// Every key, its value at each level, and how to see it.
    static let keys:
        [(key: String, global: String, rule: String, see: @Sendable (OriginRequest) -> String, standard: String)] = [
            ("connectTimeout", "1s", "2s", { "\($0.connectTimeout)" }, "30.0 seconds"),
            ("tlsTimeout", "1s", "2s", { "\($0.tlsTimeout)" }, "10.0 seconds"),
            ("tcpKeepAlive", "1s", "0s", { "\($0.tcpKeepAlive)" }, "30.0 seconds"),
            ("noHappyEyeballs", "true", "false", { "\($0.noHappyEyeballs)" }, "false"),
            ("keepAliveConnections", "1", "0", { "\($0.keepAliveConnections)" }, "100"),
            ("keepAliveTimeout", "1s", "2s", { "\($0.keepAliveTimeout)" }, "90.0 seconds"),
            ("httpHostHeader", "g", "r", { $0.httpHostHeader ?? "" }, ""),
            ("originServerName", "g", "\"\"", { $0.originServerName ?? "" }, ""),
            ("matchSNItoHost", "true", "false", { "\($0.matchSNItoHost)" }, "false"),
            ("caPool", "/g", "/r", { $0.caPool ?? "" }, ""),
            ("noTLSVerify", "true", "false", { "\($0.noTLSVerify)" }, "false"),
            ("disableChunkedEncoding", "true", "false", { "\($0.disableChunkedEncoding)" }, "false"),
            ("http2Origin", "true", "false", { "\($0.http2Origin)" }, "false"),
            ("proxyAddress", "g", "r", { $0.proxyAddress }, "127.0.0.1"),
            ("proxyPort", "1", "2", { "\($0.proxyPort)" }, "0"),
            ("ipRules", "[{prefix: 10.0.0.0/8, allow: true}]", "[]", { "\($0.ipRules.count)" }, "0"),
            ("bastion", "{allow: [g]}", "{allow: [r]}", { $0.bastionAllow?.description ?? "" }, ""),
            ("access", "{teamName: g}", "{teamName: r}", { $0.access?.teamName ?? "" }, ""),
        ]

    @Test func `every option is the rule's, else the file's, else the default`() throws {
        func seen(_ index: Int, global: Bool, rule: Bool) throws -> String {
            let entry = Self.keys[index]
            let head = global ? "originRequest: {\(entry.key): \(entry.global)}\n" : ""
            let own = rule ? ", originRequest: {\(entry.key): \(entry.rule)}" : ""
            return entry.see(try file("\(head)ingress: [{service: \"https://a\"\(own)}]").ingress[0].originRequest)
        }
        for (index, entry) in Self.keys.enumerated() {
            let (none, global) = (
                try seen(index, global: false, rule: false), try seen(index, global: true, rule: false)
            )
            let (rule, both) = (try seen(index, global: false, rule: true), try seen(index, global: true, rule: true))
            #expect(none == entry.standard, "\(entry.key)")
            #expect(global != none, "\(entry.key)")
            #expect(rule == both, "\(entry.key)")
            #expect(both != global, "\(entry.key)")
        }
    }
}
