import Foundation
import Testing

extension SystemTests {
    /// What a person sees on the way in and out, with pictures of each page; see `Browser.shots`.
    @Suite(.timeLimit(.minutes(10))) struct AccessPageTests {
        @Test func `a login leads back to the page that was asked for, and a logout ends it`() async throws {
            try await Stage.run { stage in
                let (guarded, browser) = try await WebPeer.start(on: stage).guarded(on: stage)
                let www = Chain.host("www")
                // With two ways to log in there is a choice; with one there is none.
                try await guarded.apply(
                    GuardedChain.application("intranet", host: www),
                    providers: [guarded.provider.entry(), guarded.provider.entry(id: "other", name: "Other Login")])
                let choice = try await browser.open(guarded.url(www, "/hello"))
                #expect(choice.text.contains("Example Corp") && choice.text.contains("Other Login"), "\(choice.text)")
                try await browser.photograph("login-choice")
                try await browser.click("nav a")
                try await browser.logIn("alice")
                try await browser.arrive(at: "/hello$")
                #expect(try await browser.read("hello").text.contains("hello from the origin"))

                let identity = try await browser.open(guarded.url(www, "/cdn-cgi/access/get-identity"))
                #expect(identity.text.contains(GuardedChain.user), "\(identity.text)")

                try await browser.open(guarded.url(www, "/cdn-cgi/access/logout"))
                let out = try await browser.read("You are logged out")
                #expect(!out.text.contains("hello"))
                try await browser.photograph("logged-out")
                #expect(try await browser.open(guarded.url(www, "/hello")).text.contains("Example Corp"))
            }
        }

        @Test func `who may not enter is told so, and by whom`() async throws {
            try await Stage.run { stage in
                let (guarded, browser) = try await WebPeer.start(on: stage).guarded(on: stage)
                try await browser.open(guarded.url(Chain.host("www")))
                try await browser.logIn("bob")
                let denied = try await browser.read("not let in")
                #expect(denied.text.contains("bob@example.com"), "\(denied.text)")
                try await browser.photograph("denied")
            }
        }

        @Test func `a program is agreed to by name`() async throws {
            try await Stage.run { stage in
                let (guarded, browser) = try await WebPeer.start(on: stage).guarded(on: stage)
                let login = try guarded.command("login", to: Chain.host("www"))
                try await browser.open(try await login.loginAddress())
                try await browser.logIn("alice")
                let consent = try await browser.read("Let a program in")
                for fact in ["intranet", GuardedChain.user, "127.0.0.1"] {
                    #expect(consent.text.contains(fact), "\(fact) in \(consent.text)")
                }
                try await browser.photograph("consent")
                try await browser.allow()
                try await browser.photograph("agreed")
                let output = try await login.ended()
                #expect(output.status == 0, "\(output.lastWords)")
                #expect(output.standardOutput.contains("ey"), "the token is printed")
            }
        }

        @Test func `trouble on the way is told with the hop that failed`() async throws {
            try await Stage.run { stage in
                let (guarded, browser) = try await WebPeer.start(on: stage).guarded(on: stage)
                let stale = "https://\(guarded.team)/cdn-cgi/access/callback?code=stolen&state=stolen"
                #expect(try await browser.open(stale).text.contains("begin anew"))
                try await browser.photograph("error-login-expired")
                await guarded.provider.program.stop()
                let page = try await browser.open(guarded.url(Chain.host("www")))
                #expect(page.text.contains("Example Corp") && page.text.contains("does not answer"), "\(page.text)")
                try await browser.photograph("error-provider")
            }
        }
    }
}

extension GuardedChain {
    /// Starts `access login`, `curl`, `ssh-gen` … for a host, with what it must be told about the team.
    func command(_ name: String, to host: String, _ more: String...) throws -> Program {
        try chain.stage.start(
            [Stage.executable("cloudflared"), "access", name] + teamFlags + ["--cacert", chain.ca, url(host)] + more)
    }
}
