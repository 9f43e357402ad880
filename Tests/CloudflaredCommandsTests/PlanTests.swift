import AccessClient
import ArgumentParser
import Connector
import Foundation
import NIOCore
import NIOHTTP1
import ServiceHost
import Testing
import TunnelConfig

@testable import CloudflaredCommands

struct RunPlanTests {
    let home: Home

    init() throws { home = try Home() }

    func plan(
        _ words: [String], file: String? = nil, environment: [String: String] = [:]
    ) async throws -> TunnelRunPlan {
        let file = try file.map { try ConfigFile.parse($0, path: "\(home.path)/config.yml") }
        return try await RunCommand.parse(words).plan(home.context(file: file, environment: environment))
    }

    @Test func `a token is enough`() async throws {
        let plan = try await plan([
            "--token=\(Sample.token)", "--edge=127.0.0.1:7844", "--metrics=127.0.0.1:0", "--grace-period=5s",
        ])
        #expect(plan.credentials == Sample.credentials)
        #expect(plan.edges == ["127.0.0.1:7844"])
        #expect(plan.metrics == .fixed(host: "127.0.0.1", port: 0))
        #expect(plan.gracePeriod == .seconds(5))
        #expect(plan.haConnections == 4 && plan.retries == 5 && plan.rpcTimeout == .seconds(5))
        #expect(!plan.hasLocalRules)
    }

    @Test func `the ready policy is one of three`() async throws {
        let given = ["--token=\(Sample.token)", "--edge=127.0.0.1:7844"]
        #expect(try await plan(given).readyPolicy == .first)
        #expect(try await plan(given + ["--ready-policy=process"]).readyPolicy == .process)
        await #expect(throws: CommandError.self) { try await plan(given + ["--ready-policy=soon"]) }
    }

    @Test func `a canary is a web address, asked not too often`() async throws {
        let given = ["--token=\(Sample.token)", "--edge=127.0.0.1:7844"]
        #expect(try await plan(given).canary == nil)
        #expect(try await plan(given + ["--ready-canary=https://app.site.test/healthz"]).canary != nil)
        for wrong in ["app.site.test", "ftp://app.site.test", "https://user@app.site.test/", "https://"] {
            await #expect(throws: CommandError.self) { try await plan(given + ["--ready-canary=\(wrong)"]) }
        }
        await #expect(throws: CommandError.self) { try await plan(given + ["--ready-canary-interval=10ms"]) }
    }

    @Test func `a token comes from a file, or from the service manager`() async throws {
        let file = try home.write(Sample.token + "\n", to: "tunnel-token")
        #expect(try await plan(["--token-file=\(file)"]).credentials == Sample.credentials)
        #expect(try await plan(["--token-file=~/tunnel-token"]).credentials == Sample.credentials)
        #expect(try await plan([], environment: ["CREDENTIALS_DIRECTORY": home.path]).credentials == Sample.credentials)
    }

    @Test func `credentials are found by the ID, next to the file, or given whole`() async throws {
        let path = try home.write(Sample.credentials.json, to: ".cloudflared/\(Sample.tunnelID).json")
        #expect(try await plan(["--", Sample.tunnelID]).credentials == Sample.credentials)
        #expect(try await plan(["--credentials-file=\(path)", "--", "by-name"]).credentials == Sample.credentials)
        #expect(
            try await plan(["--credentials-contents=\(Sample.credentials.json)", "--", Sample.tunnelID]).credentials
                == Sample.credentials)
        let configured = try await plan([], file: "tunnel: \(Sample.tunnelID)\ningress:\n- service: rdp://localhost\n")
        #expect(configured.credentials == Sample.credentials)
        #expect(configured.hasLocalRules)
        #expect(configured.routing.rules.map(\.service) == [.tcp(scheme: "rdp", host: "localhost", port: 3389)])
    }

    @Test func `what cannot run says what is missing`() async throws {
        await #expect(throws: CommandError.self) { try await plan([]) }
        await #expect(throws: CommandError.self) { try await plan(["--", Sample.tunnelID]) }
        await #expect(throws: CommandError.self) { try await plan(["--", "a-name"]) }
        await #expect(throws: ConfigError.self) { try await plan(["--token=junk"]) }
        let other = try home.write(Sample.credentials.json, to: "other.json")
        await #expect(throws: CommandError.self) {
            try await plan(["--credentials-file=\(other)", "--", "00000000-0000-4000-8000-000000000001"])
        }
    }

    @Test(arguments: [
        "--grace-period=3m1s", "--grace-period=-1s", "--ha-connections=0", "--edge=nohost", "--edge=:7844",
        "--edge=2001:db8::1:7844", "--edge=[]:7844",
        "--protocol=carrier-pigeon", "--protocol=quic", "--region=not.a.label", "--edge-bind-address=name",
        "--edge-proxy=ftp://proxy",
        "--edge-ip-version=5", "--tag=novalue", "--tag=a b=c", "--retries=-1",
    ])
    func `flags out of bounds are refused`(flag: String) async throws {
        let error = await #expect(throws: CommandError.self) { try await plan(["--token=\(Sample.token)", flag]) }
        #expect(error?.exitCode == .usage)
    }

    @Test func `h2mux and auto become http2`() async throws {
        for name in ["h2mux", "http2", "auto"] {
            let plan = try await plan(["--token=\(Sample.token)", "--protocol=\(name)"])
            #expect(plan.transport.current == .http2)
        }
    }

    @Test func `without --edge the edge is looked up, in the region of the flag or of the token`() async throws {
        let plain = TunnelStart.configuration(of: try await plan(["--token=\(Sample.token)"]))
        #expect(plain.edges == [] && plain.region == nil && plain.edgeFamily == nil)
        let us = try await plan(["--token=\(Sample.token)", "--region=US"])
        #expect(TunnelStart.configuration(of: us).region == "us")
        #expect(us.withoutEffect == [])
        var credentials = Sample.credentials
        credentials.endpoint = "fed"
        let token = TunnelToken.encode(credentials)
        #expect(try await plan(["--token=\(token)"]).region == "fed")
        await #expect(throws: CommandError.self) { try await plan(["--token=\(token)", "--region=us"]) }
    }

    @Test func `a local address forces its family, and a proxy's login is not printed`() async throws {
        let token = "--token=\(Sample.token)"
        #expect(try await plan([token, "--edge-ip-version=6"]).edgeFamily == .v6)
        #expect(try await plan([token, "--edge-bind-address=127.0.0.9"]).edgeFamily == .v4)
        let both = try await plan([token, "--edge-bind-address=::1", "--edge-ip-version=4"])
        #expect(both.edgeFamily == .v6)
        #expect(TunnelStart.configuration(of: both).edgeBindAddress?.ipAddress == "::1")
        let proxied = try await plan([token, "--edge-proxy=socks5://user:secret-word@proxy.test"])
        #expect(proxied.edgeProxy.map { "\($0)" } == "socks5://proxy.test:1080")
        var text = ""
        dump(proxied, to: &text)
        #expect(!text.contains("secret-word"))
    }

    @Test func `a family of addresses that nobody looks up is said to have no effect`() async throws {
        let given = ["--token=\(Sample.token)", "--edge-ip-version=4"]
        for (more, hasEffect) in [
            ([], true), (["--edge=edge.test:7844"], true), (["--edge=edge.test:7844", "--edge=[::1]:7844"], true),
            (["--edge=[::1]:7844"], false), (["--edge-proxy=http://proxy.test"], true),
            (["--edge=edge.test:7844", "--edge-proxy=http://proxy.test"], false),
        ] {
            let names = try await plan(given + more).withoutEffect
            #expect(names.contains { $0.hasPrefix("--edge-ip-version") } == !hasEffect, "\(more)")
        }
    }

    @Test func `flags fill the implied rule over the file's originRequest`() async throws {
        let plan = try await plan(
            ["--token=\(Sample.token)", "--url=https://localhost:8443", "--no-tls-verify", "--origin-server-name=n"],
            file: "originRequest:\n  connectTimeout: 7s\n  httpHostHeader: h\n")
        let request = plan.routing.rules[0].originRequest
        #expect(request.noTLSVerify && request.originServerName == "n" && request.connectTimeout == .seconds(7))
        #expect(request.httpHostHeader == "h")
    }

    @Test func `a bastion without an allow-list does not start`() async throws {
        await #expect(throws: ConfigError.self) { try await plan(["--token=\(Sample.token)", "--bastion"]) }
        let guarded = try await plan([
            "--token=\(Sample.token)", "--url=http://localhost:1", "--access-issuer=https://acme.site.test",
            "--access-aud=a", "--access-aud=b",
        ])
        #expect(guarded.routing.rules[0].originRequest.access?.issuerURL == "https://acme.site.test")
        #expect(guarded.routing.rules[0].originRequest.access?.audTag == ["a", "b"])
        let allowed = try await plan(["--token=\(Sample.token)", "--bastion", "--bastion-allow=rdpserver:3389"])
        #expect(allowed.routing.rules[0].service == .bastion)
        #expect(allowed.routing.rules[0].originRequest.bastionAllow?.texts == ["rdpserver:3389"])
    }

    @Test func `a plan prints no secret`() async throws {
        var text = ""
        dump(try await plan(["--token=\(Sample.token)"]), to: &text)
        #expect(!text.contains(Sample.token) && !text.contains("BwcHBwcH"))
    }
}

struct ClassicFormTests {
    let home: Home

    init() throws { home = try Home() }

    func intent(_ words: [String], file: String? = nil) throws -> TunnelCommand.Intent {
        let file = try file.map { try ConfigFile.parse($0, path: "\(home.path)/config.yml") }
        return try TunnelCommand.parse(words).intent(home.context("cloudflared tunnel", file: file))
    }

    @Test func `a host name and something to serve`() throws {
        #expect(
            try intent(["--hostname=RDP.Example.com", "--url=rdp://localhost:3389"])
                == .init(hostname: "rdp.example.com", tunnelName: "rdp.example.com"))
        #expect(
            try intent(["--hostname=bücher.example.com", "--name=books", "--url=http://localhost"])
                == .init(hostname: "xn--bcher-kva.example.com", tunnelName: "books"))
        #expect(try intent(["--name=n", "--hello-world"]) == .init(hostname: nil, tunnelName: "n"))
        #expect(try intent(["--hostname=h.test", "--bastion"]).hostname == "h.test")
    }

    @Test(arguments: [
        ["--url=http://localhost"], [], ["--hello-world"], ["--hostname=h.test"],
        ["--hostname=h.test", "--url=h.test"],
        ["--hostname=not a name", "--url=http://localhost"], ["--credentials-file=f", "--url=http://localhost"],
    ])
    func `nothing becomes a quick tunnel`(words: [String]) {
        #expect(throws: CommandError.self) { try intent(words) }
    }

    @Test func `a configured tunnel is run, not made again`() throws {
        let error = #expect(throws: CommandError.self) {
            try intent(["--url=http://localhost", "--hostname=h.test"], file: "tunnel: \(Sample.tunnelID)\n")
        }
        #expect(error?.description.contains("tunnel run") == true)
    }

    @Test func `the plan serves the host name and nothing else`() throws {
        let command = try TunnelCommand.parse(["--hostname=h.test", "--url=rdp://localhost"])
        let context = home.context("cloudflared tunnel")
        let plan = try command.plan(try command.intent(context), credentials: Sample.credentials, context)
        #expect(
            plan.routing.match(host: "h.test", path: "/").rule.service
                == .tcp(scheme: "rdp", host: "localhost", port: 3389))
        #expect(plan.routing.match(host: "other.test", path: "/").rule.service == .httpStatus(404))
    }
}

struct AccessPlanTests {
    let home: Home

    init() throws { home = try Home() }

    func plan(_ words: [String], as command: String = "rdp") throws -> ForwarderConfiguration {
        try ForwardCommand.parse(words).plan(home.context("cloudflared access \(command)"))
    }

    @Test func `a listener with everything`() throws {
        let plan = try plan([
            "--hostname=rdp.example.com/p?q=1", "--url=localhost:2244", "--destination=rdpserver", "--header=A: b:c",
            "--header=junk",
            "--service-token-id=i", "--service-token-secret=s", "--cacert=~/ca.pem", "--linger=2s", "--debug-stream=0",
        ])
        #expect(plan.hostname.authorityText == "rdp.example.com" && plan.hostname.target == "/p?q=1")
        #expect(plan.listen == ListenAddress(host: "localhost", port: 2244))
        #expect(plan.destination?.description == "rdpserver:3389")
        #expect(plan.headers == ["A": "b:c"])
        #expect(plan.serviceTokenID == "i" && plan.serviceTokenSecret == Secret("s"))
        #expect(plan.authorityFiles == [home.path + "/ca.pem"])
        #expect(plan.linger == .seconds(2))
    }

    @Test func `without an address it is standard input and output, and silent`() throws {
        let command = try ForwardCommand.parse(["--hostname=h.test"])
        #expect(try command.plan(home.context("cloudflared access ssh")).listen == nil)
        #expect(command.loggingSetup.output == .none)
        #expect(
            try plan(["--hostname=h.test", "--", "127.0.0.1:22"]).listen == ListenAddress(host: "127.0.0.1", port: 22))
    }

    @Test(arguments: [
        [], ["--hostname=h.test", "--url=localhost"], ["--hostname=h.test", "--url=ftp://h:1"],
        ["--hostname=h.test", "--url=:2253"], ["--hostname=h.test", "--url=a:1", "--", "b:2"], ["--hostname=u@h.test"],
        ["--hostname=h.test", "--destination=user@x:1"], ["--hostname=h.test", "--service-token-id=i"],
        ["--hostname=h.test", "--service-token-secret=s"],
    ])
    func `wrong values are usage errors`(words: [String]) {
        let error = #expect(throws: CommandError.self) { try plan(words) }
        #expect(error?.exitCode == .usage)
    }

    @Test(arguments: [
        "CF-Access-Client-Id: i.access\nCF-Access-Client-Secret: s\n",
        "{\"client_id\":\"i.access\",\"client_secret\":\"s\"}",
        "TUNNEL_SERVICE_TOKEN_ID=i.access\nTUNNEL_SERVICE_TOKEN_SECRET=s",
    ])
    func `a service token comes from a file`(text: String) throws {
        let path = try home.write(text, to: "token")
        #expect(
            try plan(["--hostname=h.test", "--service-token-file=\(path)"]).serviceTokenID == "i.access")
    }

    @Test func `the file may hold the secret alone`() throws {
        let path = try home.write("s3cret\n", to: "token")
        #expect(
            try plan(["--hostname=h.test", "--service-token-id=i", "--service-token-file=\(path)"]).serviceTokenSecret
                == Secret("s3cret"))
        #expect(throws: CommandError.self) { try plan(["--hostname=h.test", "--service-token-file=\(path)"]) }
    }

    @Test func `a desktop entry quotes what it starts`() throws {
        let plan = try plan(["--hostname=monday.example.com", "--url=localhost:2244", "--cacert=/a b/100%$x\"\\.pem"])
        let entry = try DesktopEntry(plan, command: "rdp", program: "/usr/bin/cloudflared")
        #expect(entry.fileName == "cloudflared-monday.example.com.desktop")
        #expect(
            entry.text == """
                [Desktop Entry]
                Type=Application
                Name=RDP monday.example.com
                Exec="/usr/bin/cloudflared" access rdp --hostname monday.example.com --url localhost:2244 --cacert \
                "/a b/100%%\\\\$x\\\\"\\\\\\\\.pem"
                Terminal=true
                Categories=Network;RemoteAccess;

                """)
        #expect(throws: CommandError.self) { try DesktopEntry(self.plan(["--hostname=h.test"]), command: "ssh") }
    }

    @Test func `a desktop entry trusts whom the command trusted`() async throws {
        let run = try await home.run(
            "access --auth-domain acme.site.com:8443 rdp --hostname h.test --url localhost:2244 --cacert ca.pem "
                + "--desktop-entry", environment: ["TUNNEL_ACCESS_STORE_URL": "https://login.site.com:8443"])
        #expect(run.code == 0, "\(run.errors)")
        let text = try home.read(".local/share/applications/cloudflared-h.test.desktop")
        let folder = FileManager.default.currentDirectoryPath
        #expect(text.contains(" --cacert \(folder)/ca.pem --auth-domain acme.site.com:8443 "), "\(text)")
        #expect(text.contains(" --access-store-url https://login.site.com:8443/\n"), "\(text)")
    }
}
