import Testing

@testable import TunnelConfig

struct RoutingTableTests {
    func table(_ rules: [(String, String)]) throws -> RoutingTable {
        var list = try rules.enumerated().map { index, rule in
            IngressRule(
                hostname: try HostnamePattern(rule.0), path: rule.1.isEmpty ? nil : try PathPattern(rule.1),
                service: .httpStatus(200 + index))
        }
        list.append(IngressRule(service: .httpStatus(404)))
        return RoutingTable(rules: list)
    }

    @Test(arguments: [
        ("app.test", "/", 0), ("APP.Test", "/", 0), ("app.test.", "/", 0), ("app.test:8443", "/", 0),
        ("x.app.test", "/", 5),
        ("a.wild.test", "/", 1), ("a.b.wild.test", "/", 1), ("wild.test", "/", 5), ("xwild.test", "/", 5),
        ("xn--bcher-kva.example", "/", 2), ("bücher.example", "/", 2), ("a.xn--bcher-kva.example", "/", 3),
        ("path.test", "/x/administrator", 4), ("path.test", "/x", 5), ("", "/", 5), (".wild.test", "/", 5),
    ])
    func `the first rule that meets host and path serves`(host: String, path: String, index: Int) throws {
        let table = try table([
            ("App.test.", ""), ("*.wild.test", ""), ("bücher.example", ""), ("*.Bücher.example", ""),
            ("path.test", "admin"),
        ])
        #expect(table.match(host: host, path: path).index == index)
    }

    @Test func `order decides`() throws {
        let table = try table([("*.a.test", ""), ("x.a.test", "")])
        #expect(table.match(host: "x.a.test", path: "/").index == 0)
    }

    @Test func `without rules everything is 503`() {
        let match = RoutingTable(rules: []).match(host: "any", path: "/")
        #expect(match.rule.service == .httpStatus(503))
        #expect(match.index == 0)
    }

    @Test func `a table without a final rule answers 404 and does not trap`() throws {
        let table = RoutingTable(rules: [IngressRule(hostname: try HostnamePattern("a.test"), service: .helloWorld)])
        let match = table.match(host: "b.test", path: "/")
        #expect(match.rule.service == .httpStatus(404))
        #expect(match.index == 1)
    }

    @Test func `the classic form serves its hostname and nothing else`() throws {
        var origin = RoutingTable.ImpliedOrigin()
        origin.hostname = "RDP.site.com"
        origin.url = "rdp://localhost:3389"
        let table = try RoutingTable.implied(origin)
        #expect(
            table.match(host: "rdp.site.com", path: "/").rule.service
                == .tcp(scheme: "rdp", host: "localhost", port: 3389))
        #expect(table.match(host: "other.site.com", path: "/").rule.service == .httpStatus(404))
    }

    @Test func `the classic form picks its origin in the official order`() throws {
        var origin = RoutingTable.ImpliedOrigin()
        #expect(try RoutingTable.implied(origin).rules[0].service == .httpStatus(503))
        origin.unixSocket = "/run/a"
        #expect(try RoutingTable.implied(origin).rules[0].service == .unix(path: "/run/a", tls: false))
        origin.unixSocket = nil
        origin.url = "localhost:8080"
        #expect(try RoutingTable.implied(origin).rules[0].service == .http(host: "localhost", port: 8080, tls: false))
        origin.bastion = true
        origin.bastionAllow = ["rdpserver:3389"]
        #expect(try RoutingTable.implied(origin).rules[0].service == .bastion)
        origin.helloWorld = true
        #expect(try RoutingTable.implied(origin).rules[0].service == .helloWorld)
    }

    @Test func `the classic form refuses what would be open or unclear`() {
        func refusal(_ change: (inout RoutingTable.ImpliedOrigin) -> Void) -> String? {
            var origin = RoutingTable.ImpliedOrigin()
            change(&origin)
            return configError { _ = try RoutingTable.implied(origin) }?.description
        }
        #expect(refusal { $0.bastion = true }?.contains("no allow-list") == true)
        #expect(
            refusal {
                $0.url = "a"; $0.unixSocket = "b"
            }?.contains("together") == true)
        #expect(refusal { $0.url = "ftp://a" }?.hasPrefix("url: ") == true)
        #expect(
            refusal {
                $0.url = "a"; $0.hostname = "a:1"
            }?.hasPrefix("hostname: ") == true)
        #expect(
            refusal {
                $0.bastion = true; $0.bastionAllow = ["x:y"]
            }?.hasPrefix("bastion-allow: ") == true)
        let access = OriginRequest.AccessRequirement(required: true, teamName: "t", audTag: [], environment: "")
        #expect(
            refusal {
                $0.url = "a"; $0.originRequest.access = access
            }?.contains("lets nobody in") == true)
    }

    @Test func `the report shows every option and no password`() throws {
        let file = try file(
            """
            originRequest: {connectTimeout: 500ms}
            ingress:
              - {hostname: app.example.com, path: ^/x, service: "http://127.0.0.1:19000"}
              - {service: "http_status:404"}
            """)
        let defaults =
            #""tlsTimeout":10,"tcpKeepAlive":30,"noHappyEyeballs":false,"keepAliveTimeout":90,"#
            + #""keepAliveConnections":100,"httpHostHeader":"","originServerName":"","matchSNItoHost":false,"#
            + #""caPool":"","noTLSVerify":false,"disableChunkedEncoding":false,"bastionMode":false,"#
            + #""proxyAddress":"127.0.0.1","proxyPort":0,"proxyType":"","ipRules":null,"http2Origin":false,"#
            + #""access":{"teamName":"","audTag":null}}"#
        #expect(
            LocalConfiguration.report(rules: file.ingress, defaults: file.originRequest)
                == #"{"version":-1,"config":{"ingress":[{"hostname":"app.example.com","path":"^/x","#
                + #""service":"http://127.0.0.1:19000","Handlers":null,"originRequest":{"connectTimeout":0.5,"#
                + defaults + #"},{"hostname":"","path":null,"service":"http_status:404","Handlers":null,"#
                + #""originRequest":{"connectTimeout":0.5,"# + defaults + #"}],"warp-routing":{},"#
                + #""originRequest":{"connectTimeout":0.5,"# + defaults + "}}")
    }

    @Test func `the local configuration is what the edge expects`() throws {
        let file = try file(
            """
            originRequest: {connectTimeout: 500ms}
            ingress:
              - {hostname: app.example.com, path: ^/x, service: "http://127.0.0.1:19000", originRequest: {noHappyEyeballs: true, connectTimeout: 30s}}
              - {hostname: ssh.example.com, service: "ssh://localhost"}
              - {service: "http_status:404", originRequest: {connectTimeout: 45s}}
            """)
        let json = LocalConfiguration.json(
            rules: file.ingress, flags: ["protocol": "http2", "loglevel": "debug", "token": "secret"])
        #expect(
            String(decoding: json, as: UTF8.self)
                == #"{"__configuration_flags":{"loglevel":"debug","protocol":"http2"},"ingress":["#
                + #"{"hostname":"app.example.com","path":"^/x","service":"http://127.0.0.1:19000","originRequest":{"noHappyEyeballs":true}},"#
                + #"{"hostname":"ssh.example.com","service":"ssh://localhost:22","originRequest":{"connectTimeout":0.5}},"#
                + #"{"service":"http_status:404","originRequest":{"connectTimeout":45}}],"warp-routing":{}}"#)
    }
}
