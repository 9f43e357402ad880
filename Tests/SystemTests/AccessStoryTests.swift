import Foundation
import Testing

extension SystemTests {
    /// People log in at a real provider with a real browser, and lose what they have when it is taken from them.
    @Suite(.timeLimit(.minutes(10))) struct AccessStoryTests {
        @Test func `a desktop is there after the login, and gone within a second of the session's end`() async throws {
            try await Stage.run { stage in
                let desktop = try await Desktop.start(.shadow, on: stage)
                let guarded = try await GuardedChain.start(on: stage)
                let host = Chain.host("rdp")
                try await guarded.apply(GuardedChain.application("desktops", type: "rdp", host: host))
                let tunnel = try await guarded.chain.tunnel("desk", hosts: [host], open: false)
                try await guarded.chain.connector(tunnel, ingress: [host: "rdp://127.0.0.1:\(desktop.port)"])
                let client = try await guarded.forward("rdp", to: host)
                let browser = try await guarded.browser()

                async let session = desktop.holdSession(at: client.port, on: stage)
                try await guarded.agree(browser, to: client.program)
                let held = try await session

                let taken = try await ContinuousClock().measure {
                    try await guarded.endSessions()
                    #expect(try await held.ended(within: 20).status == 3)
                }
                print("session ended → desktop gone: \(taken), with the start of two programs")
                #expect(taken < .seconds(5))

                // The next attempt, at the client that still runs, asks for a login again; and there only members of
                // the group get in.
                try await guarded.provider.remove("alice")
                async let refused = desktop.session(at: client.port, on: stage)
                try await browser.open(try await client.program.loginAddress(1))
                let denied = try await browser.read("not let in")
                #expect(denied.text.contains(GuardedChain.user), "\(denied.text)")
                await client.program.stop()
                #expect(try await refused.status == 3)
                try await guarded.chain.edge.says("the session was ended")
            }
        }

        @Test func `a policy that lets nobody in any more ends an open stream`() async throws {
            try await Stage.run { stage in
                let peer = try await WebPeer.start(on: stage)
                let (guarded, browser) = try await peer.guarded(on: stage)
                let host = Chain.host("ws")
                try await browser.logIn(at: guarded.url(host), of: guarded)
                let socket = try await peer.hold(host, of: guarded, browser: browser)
                try await guarded.apply()
                let end = try await socket.says(#""code""#)
                #expect(end.contains("1008"), "\(end)")
            }
        }

        @Test func `an open stream ends soon after its session, however often it is tried`() async throws {
            let trials = ProcessInfo.processInfo.environment["CLOUDFLARED_TRIALS"].flatMap(Int.init) ?? 3
            try await Stage.run { stage in
                let peer = try await WebPeer.start(on: stage)
                let (guarded, browser) = try await peer.guarded(on: stage)
                let host = Chain.host("ws")
                var taken: [Duration] = []
                for trial in 0..<trials {
                    // Only the first time is somebody asked for a password: the provider remembers.
                    try await browser.logIn(at: guarded.url(host), of: guarded, asksForPassword: trial == 0)
                    let socket = try await peer.hold(host, of: guarded, browser: browser)
                    let begin = ContinuousClock.now
                    try await guarded.endSessions()
                    let end = try await socket.says(#""code""#)
                    taken.append(ContinuousClock.now - begin)
                    #expect(end.contains("1008"), "\(end)")
                }
                taken.sort()
                let (median, longest) = (taken[trials / 2], taken[trials - 1])
                print("session ended → stream ended, \(trials) times: median \(median), longest \(longest)")
                // The start of the command that ends the session is in it.
                #expect(longest < .seconds(5))
            }
        }
    }
}

extension WebPeer {
    /// A guarded chain with this origin at `www` and its WebSocket server at `ws`, and somebody's browser.
    func guarded(on stage: Stage) async throws -> (chain: GuardedChain, browser: Browser) {
        let guarded = try await GuardedChain.start(on: stage)
        let hosts = [Chain.host("www"), Chain.host("ws")]
        try await guarded.apply(
            GuardedChain.application("intranet", host: hosts[0]), GuardedChain.application("news", host: hosts[1]))
        let tunnel = try await guarded.chain.tunnel("web", hosts: hosts, open: false)
        try await guarded.chain.connector(
            tunnel, ingress: [hosts[0]: "http://127.0.0.1:\(http)", hosts[1]: "http://127.0.0.1:\(websocket)"])
        return (guarded, try await guarded.browser())
    }

    /// A WebSocket that is open, with the cookie of the person at the browser.
    func hold(_ host: String, of guarded: GuardedChain, browser: Browser) async throws -> Program {
        struct Echoed: Decodable { let echoed: Int }
        let token = try #require(try await browser.cookie("CF_Authorization"))
        let (program, facts) = try await guarded.chain.stage.fixture(
            [
                "web-peer", "hold", guarded.url(host).replacing("https", with: "wss", maxReplacements: 1), "--ca",
                guarded.chain.ca, "--address", guarded.chain.httpsAddress, "-H", "Cookie: CF_Authorization=\(token)",
            ], as: Echoed.self)
        #expect(facts.echoed == 5)
        return program
    }
}

extension Browser {
    /// Opens a guarded page, and logs in on the way to it.
    func logIn(
        at url: String, of guarded: GuardedChain, as user: String = "alice", asksForPassword: Bool = true
    ) async throws {
        try await open(url)
        if asksForPassword { try await logIn(user) }
        try await arrive(at: "^" + NSRegularExpression.escapedPattern(for: url))
    }
}
