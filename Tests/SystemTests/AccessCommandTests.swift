import Foundation
import Testing

extension SystemTests {
    /// Programs that come in: with a service token, with a person's token, with a certificate for ssh.
    @Suite(.timeLimit(.minutes(10))) struct AccessCommandTests {
        @Test func `curl comes in with a service token, which the origin does not see`() async throws {
            try await Stage.run { stage in
                let guarded = try await WebPeer.start(on: stage).guarded(on: stage).chain
                let www = Chain.host("www")
                let token = try await guarded.chain.admin(
                    "access", "token", "create", "--name", "robot", as: AdmissionTests.ServiceToken.self)
                try await guarded.apply(
                    GuardedChain.application("intranet", host: www) + """

                              - name: robots
                                decision: non_identity
                                include: [any_valid_service_token]
                        """)
                let headers = [
                    "Cf-Access-Client-Id: \(token.clientID)", "Cf-Access-Client-Secret: \(token.clientSecret)",
                ]
                let page = try await guarded.chain.curl(www, "/headers", "-H", headers[0], "-H", headers[1])
                #expect(page.answer.hasSuffix("200"), "\(page)")
                #expect(page.body.lowercased().contains("cf-access-jwt-assertion"))
                #expect(!page.body.contains(token.clientSecret))
                let wrong = try await guarded.chain.curl(
                    www, "/headers", "-H", headers[0], "-H", "Cf-Access-Client-Secret: wrong")
                #expect(wrong.answer.hasSuffix("302") || wrong.answer.hasSuffix("403"), "\(wrong)")
                #expect(!guarded.chain.edge.output.lines.contains { $0.text.contains(token.clientSecret) })
            }
        }

        @Test func `who has logged in once gets pages with access curl`() async throws {
            try await Stage.run { stage in
                let (guarded, browser) = try await WebPeer.start(on: stage).guarded(on: stage)
                let www = Chain.host("www")
                let login = try guarded.command("login", to: www)
                try await guarded.agree(browser, to: login)
                #expect(try await login.ended().status == 0)
                let curl = try stage.start(
                    [Stage.executable("cloudflared"), "access", "curl", guarded.url(www, "/hello"), "--silent"]
                        + guarded.chain.visiting(www) + ["--cacert", guarded.chain.ca],
                    environment: guarded.environment, input: "")
                let output = try await curl.ended()
                #expect(output.standardOutput == "hello from the origin", "\(output.lastWords)")
            }
        }

        @Test func `ssh comes in with a certificate that lasts minutes`() async throws {
            struct Server: Decodable, Sendable {
                let port: Int
                let user: String
                let knownHosts: String
            }
            try await Stage.run { stage in
                let guarded = try await GuardedChain.start(on: stage)
                let host = Chain.host("ssh")
                try await guarded.apply(GuardedChain.application("shell", type: "ssh", host: host))
                let tunnel = try await guarded.chain.tunnel("shell", hosts: [host], open: false)
                let authority = try await guarded.chain.curl(host, "/cdn-cgi/access/ssh_ca.pub").body
                let file = try stage.write(authority + "\n", to: "ssh_ca.pub")
                let server = try await stage.fixture(
                    "ssh-server", "--authority", file, "--principal", "alice", as: Server.self
                ).facts
                try await guarded.chain.connector(tunnel, ingress: [host: "ssh://127.0.0.1:\(server.port)"])

                let key = try stage.start(
                    [
                        Stage.executable("cloudflared"), "access", "ssh-gen", "--hostname",
                        "\(host):\(guarded.chain.httpsPort)",
                    ], environment: guarded.environment)
                let browser = try await guarded.browser()
                try await guarded.agree(browser, to: key)
                let made = try await key.ended()
                #expect(made.status == 0, "\(made.lastWords)")

                let identity = stage.scratch.path + "/.cloudflared/\(host)-cf_key"
                let proxy = "\(Stage.executable("cloudflared")) access ssh --hostname %h:\(guarded.chain.httpsPort)"
                let options = [
                    "ProxyCommand=\(proxy)", "HostKeyAlias=desk", "UserKnownHostsFile=\(server.knownHosts)",
                    "IdentitiesOnly=yes", "BatchMode=yes", "CertificateFile=\(identity)-cert.pub",
                ]
                let output = try await stage.finish(
                    ["ssh", "-F", "none", "-i", identity] + options.flatMap { ["-o", $0] } + [
                        "\(server.user)@\(host)", "echo inside; exit 7",
                    ], environment: guarded.environment)
                #expect(output.status == 7 && output.standardOutput == "inside", "\(output.lastWords)")
            }
        }

        @Test func `keys change at the provider and at the edge, and nobody notices`() async throws {
            try await Stage.run { stage in
                let peer = try await WebPeer.start(on: stage)
                let (guarded, browser) = try await peer.guarded(on: stage)
                let host = Chain.host("ws")
                try await browser.logIn(at: guarded.url(host), of: guarded)
                let socket = try await peer.hold(host, of: guarded, browser: browser)
                try await guarded.provider.rotateKeys()
                try await guarded.chain.admin("access", "key", "rotate")
                // The token that the old key signed opens another one.
                let second = try await peer.hold(host, of: guarded, browser: browser)
                // Somebody logs in anew, by the provider's new key.
                try await browser.forget()
                try await browser.logIn(at: guarded.url(Chain.host("www"), "/hello"), of: guarded)
                for open in [socket, second] {
                    #expect(open.output.status == nil && !open.output.standardOutput.contains("code"))
                }
            }
        }
    }
}
