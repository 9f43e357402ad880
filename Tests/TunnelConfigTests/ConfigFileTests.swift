import Testing

@testable import TunnelConfig

struct ConfigFileTests {
    @Test func `the seed document's file is read`() throws {
        let file = try file(
            """
            hostname: rdp.site.com
            url: rdp://localhost:3389
            logfile: /var/log/cloudflared.log
            """)
        #expect(file.hostname == "rdp.site.com")
        #expect(file.url == "rdp://localhost:3389")
        #expect(file.logfile == "/var/log/cloudflared.log")
        #expect(file.ingress.isEmpty)
        #expect(file.warnings.isEmpty)
        let table = try RoutingTable.implied(file.impliedOrigin)
        #expect(
            table.match(host: "rdp.site.com", path: "/").rule.service
                == .tcp(scheme: "rdp", host: "localhost", port: 3389))
    }

    @Test func `every kind of flag has its type`() throws {
        let file = try file(
            """
            tunnel: 99999999-8888-7777-6666-555555555555
            credentials-file: /etc/cloudflared/t.json
            token: abc
            edge: [127.0.0.1:7844, "[::1]:7844"]
            cacert: /etc/ca.pem
            origincert: ~/cert.pem
            api-url: https://api.site.test/client/v4
            protocol: http2
            metrics: 127.0.0.1:60123
            pidfile: /run/p
            loglevel: debug
            no-tls-verify: true
            origin-server-name: inner
            grace-period: 1m30s
            retries: 0x3
            ha-connections: 2
            no-autoupdate: yes
            tag: {site: north, Rack: "7"}
            edge-ip-version: "4"
            """)
        #expect(file.tunnel == "99999999-8888-7777-6666-555555555555")
        #expect(file.credentialsFile == "/etc/cloudflared/t.json")
        #expect(file.token == "abc")
        #expect(file.edge == ["127.0.0.1:7844", "[::1]:7844"])
        #expect(file.cacert == "/etc/ca.pem")
        #expect(file.origincert == "~/cert.pem")
        #expect(file.apiURL == "https://api.site.test/client/v4")
        #expect(file.protocolName == "http2")
        #expect(file.metrics == "127.0.0.1:60123")
        #expect(file.pidfile == "/run/p")
        #expect(file.loglevel == "debug")
        #expect(file.noTLSVerify == true)
        #expect(file.originServerName == "inner")
        #expect(file.gracePeriod == .seconds(90))
        #expect(file.retries == 3)
        #expect(file.haConnections == 2)
        #expect(file.noAutoupdate == true)
        #expect(file.tags == ["site=north", "Rack=7"])
        #expect(file.edgeIPVersion == "4")
        #expect(file.warnings.isEmpty)
    }

    @Test func `explicit false and zero are honoured`() throws {
        let file = try file(
            "management-diagnostics: false\nretries: 0\ngrace-period: 0s\nno-tls-verify: false\nprotocol: \"\"\n")
        #expect(file.bool("management-diagnostics") == false)
        #expect(file.retries == 0)
        #expect(file.gracePeriod == .zero)
        #expect(file.noTLSVerify == false)
        #expect(file.protocolName == "")
        #expect(file.flagNames.count == 5)
    }

    @Test func `every flag marked Y is known`() throws {
        for (name, flag) in ConfigKeys.flags {
            let value =
                switch flag.kind {
                case .string, .path, .secret: "abc"
                case .bool: "false"
                case .int: "2"
                case .duration: "2s"
                case .strings: name == "bastion-allow" ? "[h]" : "[a]"
                case .tags: "[a=b]"
                }
            let read = try file("\(name): \(value)\n\(name == "url" ? "" : "url: https://h")\n")
            #expect(read.warnings.isEmpty, "\(name)")
            #expect(read.flagNames.contains(name))
        }
        #expect(ConfigKeys.flags.count >= 90)
    }

    @Test(arguments: [
        ("edge-ip-version: 4", "edge-ip-version"), ("label: true", "label"), ("tunnel: 123", "tunnel"),
    ])
    func `a number where text is wanted is taken with a notice`(yaml: String, key: String) throws {
        let file = try file(yaml)
        #expect(file.string(key) != nil)
        #expect(file.warnings.map(\.key) == [key])
    }

    @Test(arguments: [
        ("logfil: x", "config.yml:1: logfil: is not a known key and is ignored; did you mean logfile?"),
        (
            "\n\ncredentialsFile: x",
            "config.yml:3: credentialsFile: is not a known key and is ignored; did you mean credentials-file?"
        ),
        (
            "no_tls_verify: true",
            "config.yml:1: no_tls_verify: is not a known key and is ignored; did you mean no-tls-verify?"
        ),
        ("cred-file: x", "config.yml:1: cred-file: is not a known key and is ignored; did you mean credentials-file?"),
        ("something: else", "config.yml:1: something: is not a known key and is ignored"),
        (
            "originRequest:\n  noTlsVerfy: true",
            "config.yml:2: originRequest.noTlsVerfy: is not a known key and is ignored; did you mean noTLSVerify?"
        ),
        (
            "ingress:\n- services: x\n  service: http_status:404",
            "config.yml:2: ingress[0].services: is not a known key and is ignored; did you mean service?"
        ),
        ("logfile:", "config.yml:1: logfile: has no value and is ignored"),
    ])
    func `an unknown key is a warning with a suggestion`(yaml: String, warning: String) throws {
        #expect(try file(yaml).warnings.map(\.description) == [warning])
    }

    @Test func `an empty file is an empty configuration`() throws {
        for yaml in ["", "\n", "# nothing\n", "---\n", "---\n...\n"] {
            let file = try file(yaml)
            #expect(file.flagNames.isEmpty)
            #expect(file.warnings.count == 1)
        }
    }

    @Test func `anchors, aliases and merge keys work`() throws {
        let file = try file(
            """
            ingress:
              - hostname: a.test
                service: https://a
                originRequest: &common
                  connectTimeout: 5s
                  noTLSVerify: true
              - hostname: b.test
                service: https://b
                originRequest:
                  <<: *common
                  connectTimeout: 7s
              - service: http_status:404
            """)
        #expect(file.ingress[0].originRequest.connectTimeout == .seconds(5))
        #expect(file.ingress[1].originRequest.connectTimeout == .seconds(7))
        #expect(file.ingress[1].originRequest.noTLSVerify)
    }

    @Test func `relative paths are relative to the file`() throws {
        let file = try ConfigFile.parse(
            "credentials-file: t.json\nlogfile: ./logs/x\npidfile: /run/p\norigincert: ~/cert.pem\n",
            path: "/etc/cloudflared/config.yml")
        #expect(file.credentialsFile == "/etc/cloudflared/t.json")
        #expect(file.logfile == "/etc/cloudflared/logs/x")
        #expect(file.pidfile == "/run/p")
        #expect(file.origincert == "~/cert.pem")
        #expect(try ConfigFile.parse("logfile: x", path: "config.yml").logfile == "x")
    }

    @Test(arguments: [
        ("a: b: c", "config.yml:1: the file is not YAML"), ("a: [", "the file is not YAML"),
        ("\ta: b", "the file is not YAML"),
        ("logfile: a\nlogfile: b", "logfile: the key is given twice"),
        ("- a", "expected a map of keys and values, found a list"),
        ("text", "config.yml:1: expected a map of keys and values, found \"text\""),
        ("logfile: a\n---\nlogfile: b", "config.yml:3: the file holds more than one YAML document"),
        ("logfile: a\n---\n: [", "more than one YAML document"), ("logfile: *x", "undefined alias"),
        (
            "grace-period: 30",
            "config.yml:1: grace-period: \"30\" is a number without a unit; write for example 30s or 30m"
        ),
        ("grace-period: 4m", "grace-period: 4m0s is more than 3m"),
        ("grace-period: -1s", "grace-period: -1s is negative"),
        ("grace-period: [1s]", "expected a duration, found a list"),
        ("retries: \"3\"", "retries: expected a whole number, found \"3\""),
        ("retries: -1", "retries: -1 is negative"), ("retries: 99999999999999999999", "expected a whole number"),
        ("ha-connections: 0", "ha-connections: 0 connections"),
        ("no-tls-verify: \"true\"", "expected true or false, found \"true\"; write true or false without quotes"),
        ("no-tls-verify: 1", "expected true or false"), ("logfile: {a: b}", "logfile: expected a string, found a map"),
        ("edge: {a: b}", "edge: expected a list of strings, found a map"),
        ("edge: [[a]]", "edge[0]: expected a string, found a list"),
        ("url: ftp://h", "url: the scheme \"ftp\" is not supported"),
        ("bastion: [a]", "bastion: expected true or false, found a list"),
        ("bastion: {}", "bastion: the allow-list is missing"),
        ("bastion: {allow: []}", "bastion.allow: the bastion has an empty allow-list"),
        ("bastion-allow: []", "bastion-allow: the bastion has an empty allow-list"),
        ("bastion: {allow: [\"h:x\"]}", "\"h:x\" in the allow-list"),
        ("bastion: {allow: [a]}\nbastion-allow: [b]", "the allow-list is given twice"),
        ("? [a]\n: b", "a key is not a word"),
    ])
    func `what is broken is refused with file, line, key and remedy`(yaml: String, message: String) {
        let error = configError { _ = try file(yaml) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        #expect(error?.file == "config.yml")
    }

    @Test func `errors never show a secret`() {
        for yaml in ["token: [hunter2]", "credentials-contents: {a: hunter2}"] {
            #expect(configError { _ = try file(yaml) }?.description.contains("hunter2") == false)
        }
    }

    @Test func `the classic bastion comes from the file`() throws {
        for yaml in [
            "bastion: true\nbastion-allow: [\"rdpserver:3389\"]", "bastion: {allow: [\"rdpserver:3389\"]}",
            "bastion: true\nbastion-allow: \"rdpserver:3389\"",
        ] {
            let file = try file("hostname: h.test\n" + yaml)
            #expect(file.bastion == true)
            #expect(file.bastionAllow == ["rdpserver:3389"])
            let rule = try RoutingTable.implied(file.impliedOrigin).match(host: "h.test", path: "/").rule
            #expect(rule.service == .bastion)
            #expect(rule.originRequest.bastionAllow?.permits(host: "rdpserver", port: 3389) == true)
        }
    }

    @Test func `flags without effect for the service are named`() throws {
        let file = try file("url: rdp://localhost\nno-tls-verify: true\norigin-server-name: x")
        #expect(file.warnings.map(\.key) == ["origin-server-name", "no-tls-verify"])
    }

    @Test func `warp routing is read`() throws {
        let file = try file("warp-routing: {enabled: true, connectTimeout: 7s, maxActiveFlows: 9, tcpKeepAlive: 0s}")
        #expect(file.warpRouting.connectTimeout == .seconds(7))
        #expect(file.warpRouting.maxActiveFlows == 9)
        #expect(file.warpRouting.tcpKeepAlive == .zero)
    }

    @Test func `the file cut at any length never traps`() throws {
        let whole = Sample.wholeFile
        _ = try file(whole)
        for length in 0...whole.utf8.count {
            _ = try? file(String(decoding: whole.utf8.prefix(length), as: UTF8.self))
        }
    }
}
