import Foundation

/// A real OpenID Connect provider (Canaille): alice is in the group `rdp-users`, bob is in none. See the
/// `identity-provider` fixture.
struct IdentityProviderProgram: Sendable {
    struct Facts: Decodable, Sendable {
        let issuer: String
        let ca: String
        let clientID: String
        let clientSecret: String
    }

    /// What policies name it by.
    static let id = "corp"
    static let group = "rdp-users"

    let program: Program
    let facts: Facts
    /// A copy of its CA, that outlives it.
    let ca: String

    /// - Parameter callback: where it sends people back to.
    static func start(on stage: Stage, callback: String) async throws -> IdentityProviderProgram {
        let python =
            ProcessInfo.processInfo.environment["CLOUDFLARED_CANAILLE"]
            ?? Stage.package.appendingPathComponent(".build/canaille/bin/python").path
        let (program, facts) = try await stage.fixture(
            ["identity-provider", "--redirect", callback], as: Facts.self,
            environment: ["CLOUDFLARED_CANAILLE": python])
        let ca = try stage.write(try String(contentsOfFile: facts.ca, encoding: .utf8), to: "provider-ca.pem")
        return IdentityProviderProgram(program: program, facts: facts, ca: ca)
    }

    /// From now on it signs with new keys.
    func rotateKeys() async throws { _ = try await program.answer(to: "rotate-keys") }

    func remove(_ user: String, from group: String = Self.group) async throws {
        _ = try await program.answer(to: "leave \(user) \(group)")
    }

    func add(_ user: String, to group: String = Self.group) async throws {
        _ = try await program.answer(to: "join \(user) \(group)")
    }

    /// How `access.yml` names it. `id` and `name` tell two entries for the same provider apart.
    func entry(id: String = Self.id, name: String = "Example Corp") -> String {
        """
          - id: \(id)
            name: \(name)
            type: oidc
            config:
              issuer: \(facts.issuer)
              client_id: \(facts.clientID)
              client_secret: \(facts.clientSecret)
              scopes: [email, profile, groups]
              claims: [groups]
              assume_email_verified: true
              ca_pool: \(ca)
        """
    }
}
