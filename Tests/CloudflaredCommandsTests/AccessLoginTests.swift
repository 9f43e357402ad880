import Foundation
import NIOHTTP1
import Synchronization
import TestKit
import Testing

@testable import CloudflaredCommands

/// The commands of a login as a person runs them, against a team behind TLS on loopback.
@Suite(.timeLimit(.minutes(1))) struct AccessLoginTests {
    private func environment(_ server: TeamServer) throws -> [String: String] {
        [
            "TUNNEL_ACCESS_AUTH_DOMAINS": server.team.team, "TUNNEL_ACCESS_STORE_URL": "https://\(server.team.store)",
            "TUNNEL_ACCESS_CA": try TestCertificates.shared.get().authorityFile, "PATH": "/usr/bin:/bin",
        ]
    }

    @Test func `login shows the URL alone on its line and prints the token, token prints it again`() async throws {
        let server = try await TeamServer.start()
        let home = try Home()
        let variables = try environment(server)
        let application = server.team.application
        let none = try await home.run("access token \(application)", environment: variables)
        #expect(none.code == 1 && none.output.isEmpty && none.errors.contains("access login"))

        let login = try await home.run("access login \(application)", environment: variables)
        #expect(login.code == 0, "\(login.errors)")
        let lines = login.errors.split(separator: "\n")
        let urls = lines.filter { $0.hasPrefix("https://\(application)/cdn-cgi/access/cli?") }
        #expect(urls.count == 1)
        let token = try #require(server.team.state.withLock { $0.tokens.first })
        #expect(login.output == "Successfully fetched your token:\n\n\(token)\n\n")
        #expect(!login.errors.contains(token))

        let stored = try await home.run("access token --app \(application)", environment: variables)
        #expect(stored.output.trimmingCharacters(in: .newlines) == token)
        let quiet = try await home.run("access login -q \(application)", environment: variables)
        #expect(quiet.code == 0 && quiet.output.isEmpty && quiet.errors.isEmpty)
        try await server.stop()
    }

    @Test func `a team of one's own that was not named is not believed`() async throws {
        let server = try await TeamServer.start()
        var variables = try environment(server)
        variables["TUNNEL_ACCESS_AUTH_DOMAINS"] = nil
        let run = try await Home().run("access login \(server.team.application)", environment: variables)
        #expect(run.code == 1 && run.errors.contains("--auth-domain"))
        #expect(!run.errors.contains("cdn-cgi/access/cli"))
        try await server.stop()
    }

    @Test func `curl gets the token, and not by its arguments`() async throws {
        let server = try await TeamServer.start()
        let home = try Home()
        let variables = try environment(server)
        let ca = try #require(variables["TUNNEL_ACCESS_CA"])
        let run = try await home.run(
            "access curl https://\(server.team.application)/asked --cacert \(ca) -s -o /dev/null --fail",
            environment: variables)
        #expect(run.code == 0, "\(run.errors)")
        let token = try #require(server.team.state.withLock { $0.tokens.first })
        #expect(server.team.asked("/asked").last?.headers["cookie"] == ["CF_Authorization=\(token)"])
        let failed = try await home.run(
            "access curl https://\(server.team.application)/ --bogus-flag -s", environment: variables)
        #expect(failed.code == 2 && failed.errors.contains("exit status 2"))
        try await server.stop()
    }

    @Test func `no redirect and no second URL takes the token of curl to another host`() async throws {
        let server = try await TeamServer.start()
        let variables = try environment(server)
        let run = try await Home().run(
            "access curl https://\(server.team.application)/away https://\(server.team.store)/stolen -k -s -o "
                + "/dev/null -o /dev/null -L --location-trusted", environment: variables)
        #expect(run.code == 0, "\(run.errors)")
        let token = try #require(server.team.state.withLock { $0.tokens.first })
        #expect(server.team.asked("/away").last.map { "\($0.headers)".contains(token) } == true)
        let stolen = server.team.asked("/stolen")
        #expect(stolen.count == 2 && !stolen.contains { "\($0.headers)".contains(token) })
        try await server.stop()
    }

    @Test func `curl hears every signal that a person or a system sends`() async throws {
        let home = try Home()
        let script = try home.write(
            "#!/bin/sh\ngrep -E '^Sig(Blk|Ign)' /proc/self/status > \(home.path)/seen\n", to: "bin/curl")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
        let run = try await home.run(
            "access curl --allow-request https://127.0.0.1:9/",
            environment: ["PATH": "\(home.path)/bin:/usr/bin:/bin"])
        #expect(run.code == 0, "\(run.errors)")
        // Without those that the C library keeps for itself.
        let sets = try home.read("seen").split(separator: "\n").compactMap { Int($0.suffix(8), radix: 16) }
        #expect(sets.map { $0 & 0x7FFF_FFFF } == [0, 0])
    }

    @Test func `a picture that is not made in time is left out`() async throws {
        let home = try Home()
        let script = try home.write("#!/bin/sh\nexec sleep 100\n", to: "bin/qrencode")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
        let path = ["PATH": "\(home.path)/bin:/usr/bin:/bin"]
        let clock = ManualClock()
        async let picture = Browser.code(for: "https://x.test/", path, clock: clock)
        await clock.waitForSleepers(1)
        clock.advance(by: .seconds(2))
        #expect(await picture == nil)
        try home.write("#!/bin/sh\necho \"[$(cat)]\"\n", to: "bin/qrencode")
        #expect(await Browser.code(for: "https://x.test/", path) == "[https://x.test/]\n")
        #expect(await Browser.code(for: "https://x.test/", ["PATH": "/nowhere"]) == nil)
    }

    @Test func `the account's login writes the certificate and never over another`() async throws {
        let server = try await TeamServer.start()
        let home = try Home()
        let variables = try environment(server)
        let line = "login --loginURL https://\(server.team.team)/argotunnel"
        let run = try await home.run(line, environment: variables)
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.errors.contains("https://\(server.team.team)/argotunnel?aud=&callback=https%3A%2F%2Flogin."))
        #expect(try home.read(".cloudflared/cert.pem") == TeamDouble.certificate)
        let again = try await home.run(line, environment: variables)
        #expect(again.code == 78 && again.errors.contains("move it away"))
        try await server.stop()
    }

    @Test func `ssh's configuration names this program`() async throws {
        let plain = try await Home().run("access ssh-config --hostname ssh.example.com")
        #expect(plain.output.contains("Host ssh.example.com\n  ProxyCommand /"))
        #expect(plain.output.contains(" access ssh --hostname %h\n"))
        let short = try await Home().run("access ssh-config --hostname ssh.example.com --short-lived-cert")
        #expect(short.output.contains("Match host ssh.example.com exec \""))
        #expect(short.output.contains("  CertificateFile ~/.cloudflared/%h-cf_key-cert.pub\n"))
    }
}
