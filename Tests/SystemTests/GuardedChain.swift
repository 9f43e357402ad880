import Foundation
import Testing

/// A chain whose hosts only people of a provider's group may enter, or nobody at all; and what such a person needs.
struct GuardedChain: Sendable {
    static let user = "alice@example.com"

    let chain: Chain
    let provider: IdentityProviderProgram

    private var stage: Stage { chain.stage }
    var team: String { "access.\(Chain.zone):\(chain.httpsPort)" }
    /// What a client of a self-hosted team has to be told, beside where the host is.
    var teamFlags: [String] {
        ["--auth-domain", team, "--access-store-url", "https://login.\(Chain.zone):\(chain.httpsPort)/"]
    }

    /// The same for commands that take no such flags.
    var environment: [String: String] {
        [
            "TUNNEL_ACCESS_AUTH_DOMAINS": team, "TUNNEL_ACCESS_CA": chain.ca,
            "TUNNEL_ACCESS_STORE_URL": "https://login.\(Chain.zone):\(chain.httpsPort)/",
        ]
    }

    static func start(on stage: Stage) async throws -> GuardedChain {
        let chain = try await Chain.start(on: stage)
        let callback = "https://access.\(Chain.zone):\(chain.httpsPort)/cdn-cgi/access/callback"
        return GuardedChain(chain: chain, provider: try await .start(on: stage, callback: callback))
    }

    /// The origin that an address with this host's name leads to.
    func url(_ host: String, _ path: String = "/") -> String { "https://\(host):\(chain.httpsPort)\(path)" }

    // MARK: The edge

    /// An entry of `access.yml` for a host that the group may enter.
    static func application(_ name: String, type: String = "self_hosted", host: String) -> String {
        """
          - name: \(name)
            type: \(type)
            domains: [\(host)]
            policies:
              - name: staff
                decision: allow
                include:
                  - oidc:
                      identity_provider_id: \(IdentityProviderProgram.id)
                      claim_name: groups
                      claim_value: \(IdentityProviderProgram.group)
        """
    }

    /// Puts the provider and these applications in force, in the place of what was there.
    func apply(_ applications: String..., providers: [String]? = nil) async throws {
        let lines =
            ["identity_providers:"] + (providers ?? [provider.entry()]) + ["applications:"] + applications + [""]
        let file = try stage.write(lines.joined(separator: "\n"), to: "access.yml")
        try await chain.admin("apply", "-f", file)
    }

    /// Ends the sessions of a user, as an administrator does.
    func endSessions(of user: String = Self.user) async throws {
        try await chain.admin("access", "session", "end", "--user", user)
    }

    // MARK: People

    func browser() async throws -> Browser { try await .start(on: stage, trusting: [chain.ca, provider.ca]) }

    /// Follows the address that a client printed: logs in where that is asked for, and agrees that the program may act
    /// for the user.
    func agree(_ browser: Browser, to client: Program, as user: String? = "alice") async throws {
        let address = try await client.loginAddress()
        let page = try await browser.open(address)
        if let user, page.url.hasPrefix(provider.facts.issuer) { try await browser.logIn(user) }
        try await browser.arrive(at: "/cdn-cgi/access/cli")
        try await browser.allow()
    }

    // MARK: Programs

    func forward(_ kind: String, to host: String, _ more: String...) async throws -> (program: Program, port: Int) {
        let port = try freePort()
        let client = try stage.start(
            [
                Stage.executable("cloudflared"), "access", kind, "--hostname", "\(host):\(chain.httpsPort)", "--url",
                "127.0.0.1:\(port)", "--cacert", chain.ca,
            ] + teamFlags + more)
        do {
            try await stage.await("listening", "\(port)")
        } catch {
            throw NotSeen(description: "access \(kind) does not listen\n\(client.output.lastWords)")
        }
        return (client, port)
    }
}

extension Program {
    /// The address that a client asks its user to open: alone on its line, so that scripts find it.
    /// - Parameter number: which of them, from 0.
    func loginAddress(_ number: Int = 0) async throws -> String {
        try await seen("asks for a login") { output in
            let addresses = output.lines.map(\.text).filter {
                $0.hasPrefix("https://") && $0.contains("/cdn-cgi/access/cli?")
            }
            return addresses.count > number ? addresses[number] : nil
        }
    }
}

extension Desktop {
    private struct Shown: Decodable, Sendable {
        let renderedMs: Int

        enum CodingKeys: String, CodingKey { case renderedMs = "rendered_ms" }
    }

    /// A session that stays; FreeRDP has patience until somebody has logged in.
    func holdSession(at port: Int, on stage: Stage) async throws -> Program {
        try await stage.fixture(
            [
                "rdp-client", "127.0.0.1", "\(port)", "--user", user, "--expect", token, "--security", security,
                "--fingerprint", fingerprint, "--hold",
            ], as: Shown.self, environment: ["RDP_PASSWORD": password]
        ).program
    }
}
