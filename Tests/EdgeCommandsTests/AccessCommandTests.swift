import AccessPolicy
import EdgeStore
import Foundation
import Testing

@testable import EdgeCommands

/// Administration of Access by command lines.
@Suite struct AccessCommandTests {
    static let wanted = """
        session_duration: 12h
        identity_providers:
          - {id: corp, config: {issuer: "https://login.test", client_id: edge, client_secret_file: corp.secret, ca_pool: ca.pem}}
        groups:
          - {name: rdp-users, include: [{oidc: {identity_provider_id: corp, claim_name: groups, claim_value: rdp}}]}
        applications:
          - name: desktops
            domains: [rdp.site.test]
            policies:
              - {name: staff, decision: allow, include: [{group: rdp-users}], exclude: [{email: eve@example.com}]}
        """

    @Test func `a file is applied with a difference that shows no secret`() async throws {
        try await TestEdge.with { edge in
            _ = try edge.file("corp.secret", "hunter2\n")
            let file = try edge.file("access.yml", Self.wanted)
            let dry = try await edge.text("apply -f \(file) --dry-run")
            #expect(dry.contains("+ application desktops") && dry.contains("+ group rdp-users"))
            #expect(dry.contains("\"issuer\" : \"https://login.test\"") && dry.hasSuffix("since this is a dry run."))
            #expect(try await edge.text("access app list").hasPrefix("Every hostname is closed"))
            #expect(try await edge.text("apply -f \(file)").hasSuffix("Applied."))
            #expect(try await edge.text("apply -f \(file)") == "Nothing to change.")
            let store = try await edge.store()
            let provider = try #require(try await store.access().providers.first)
            try store.close()
            #expect(provider.clientSecret.text == "hunter2" && provider.authorityFile == "\(edge.path)/ca.pem")

            _ = try edge.file("corp.secret", "hunter3")
            let changed = Self.wanted.replacingOccurrences(
                of: "groups:\n  - {name: rdp-users", with: "groups:\n  - {name: staff"
            )
            .replacingOccurrences(of: "{group: rdp-users}", with: "{group: staff}")
            _ = try edge.file("access.yml", changed)
            let difference = try await edge.text("apply -f \(file)")
            #expect(difference.contains("~ identity_provider corp") && difference.contains("(redacted) (another)"))
            #expect(difference.contains("- group rdp-users") && difference.contains("+ group staff"))
            #expect(difference.contains("~ application desktops"))
            #expect(difference.contains("-             \"id\" : \"rdp-users\""))
            #expect(difference.contains("+             \"id\" : \"staff\""))
            for text in [dry, difference, try await edge.text("access export"), try await edge.text("access idp list")]
            {
                #expect(!text.contains("hunter"))
            }
            // What was exported is what is there, the secret too.
            let exported = try edge.file("export.json", try await edge.text("access export"))
            #expect(try await edge.text("apply -f \(exported)") == "Nothing to change.")
            #expect(try await edge.json("audit verify")["lines"] as? Int == 2)
        }
    }

    @Test(arguments: [
        ("domains: [rdp.site.test]", "domains: [rdp.other.test]", "not inside this edge's zone"),
        ("{group: rdp-users}", "{group: others}", "there is no group \"others\""),
        ("identity_provider_id: corp", "identity_provider_id: crop", "there is no identity provider \"crop\""),
        ("decision: allow", "decision: alow", "did you mean allow?"),
        ("corp.secret", "none.secret", "none.secret"),
        ("client_secret_file: corp.secret", "client_secret: (redacted)", "is new"),
    ])
    func `a file that is wrong changes nothing, and a dry run says so too`(
        _ part: String, _ broken: String, _ reason: String
    ) async throws {
        try await TestEdge.with { edge in
            _ = try edge.file("corp.secret", "hunter2")
            let file = try edge.file("access.yml", Self.wanted.replacingOccurrences(of: part, with: broken))
            for line in ["apply -f \(file) --dry-run", "apply -f \(file)"] {
                let failure = try await edge.failure(line)
                #expect(failure.contains(reason) && !failure.contains("hunter2"), "\(failure)")
            }
            #expect(try await edge.text("access app list").hasPrefix("Every hostname is closed"))
        }
    }

    @Test func `a team domain outside the zone may have its application, for the login`() async throws {
        try await TestEdge.with { edge in
            _ = try edge.file("corp.secret", "hunter2")
            let outside = Self.wanted.replacingOccurrences(
                of: "domains: [rdp.site.test]", with: "domains: [acme.cloudflareaccess.com/argotunnel]")
            let file = try edge.file("access.yml", outside)
            #expect(try await edge.failure("apply -f \(file)").contains("not inside this edge's zone"))
            let settings = try String(contentsOfFile: edge.path + "/edge.yml", encoding: .utf8)
            _ = try edge.file("edge.yml", settings + "\nteam-domain: acme.cloudflareaccess.com\n")
            #expect(try await edge.text("apply -f \(file)").hasSuffix("Applied."))
        }
    }

    @Test func `a policy is explained by who, where and whence`() async throws {
        try await TestEdge.with { edge in
            _ = try edge.file("corp.secret", "hunter2")
            _ = try await edge.text("apply -f \(try edge.file("access.yml", Self.wanted))")
            func explain(_ words: String) async throws -> String {
                try await edge.text("access policy explain \(words)")
            }
            let ann = "--user ann@example.com --host rdp.site.test --ip 192.0.2.7"
            let allowed = try await explain("\(ann) --group rdp")
            #expect(allowed.hasPrefix("Let in by the policy staff of desktops."))
            #expect(allowed.contains("oidc corp groups=rdp"))
            #expect(try await explain(ann).hasPrefix("Kept out: no policy of desktops"))
            #expect(try await explain("--host rdp.site.test").hasPrefix("Sent to log in"))
            #expect(try await explain("--host www.site.test").hasPrefix("Kept out: no application"))
            let eve = try await edge.json(
                "access policy explain --user EVE@example.com --host rdp.site.test --claim groups=rdp")
            #expect(eve["decision"] as? String == "deny" && eve["forwarded"] as? Bool == false)

            let id = try #require(try await edge.json("access token create --name t")["id"] as? String)
            _ = try await edge.text("access app add web.site.test --service-token \(id)")
            #expect(try await explain("--host web.site.test").contains("wants a good service token"))
            #expect(try await explain("--host web.site.test --service-token \(id)").hasPrefix("Let in by the policy"))
        }
    }

    @Test func `groups, providers and policies are made and removed one by one`() async throws {
        try await TestEdge.with { edge in
            let secret = try edge.file("secret", "hunter2")
            let added = try await edge.text(
                "access idp add corp --issuer https://login.test/ --client-id e --client-secret-file \(secret) --claim team"
            )
            #expect(added.contains("https://acme.site.test/cdn-cgi/access/callback"))
            _ = try await edge.text(
                "access group add staff --include email_domain:example.com --exclude email:eve@example.com")
            _ = try await edge.text("access app add rdp.site.test --allow group:staff --type rdp --session-duration 1h")
            _ = try await edge.text(
                "access policy add rdp.site.test night --decision deny --include everyone --require oidc:corp:team=night"
            )
            let policies = try await edge.text("access policy list rdp.site.test")
            #expect(policies.contains("rdp.site.test  allow   allow     0           group staff"))
            #expect(policies.contains("night   deny      0           everyone, only with oidc corp team=night"))
            #expect(
                try await edge.text("access group list").contains(
                    "email_domain example.com, but not email eve@example.com"))
            #expect(try await edge.text("access idp list").contains("corp  corp  https://login.test  e"))
            #expect(try await edge.text("access app list").contains("rdp.site.test  login"))
            #expect(try await edge.failure("access group remove staff").contains("there is no group \"staff\""))
            #expect(try await edge.failure("access idp remove corp").contains("there is no identity provider"))
            _ = try await edge.text("access policy remove rdp.site.test night")
            _ = try await edge.text("access idp remove corp")
            _ = try await edge.text("access app revoke rdp.site.test")
            _ = try await edge.text("access app remove rdp.site.test")
            _ = try await edge.text("access group remove staff")
            for list in ["app", "group", "idp", "policy"] {
                #expect(try await edge.text("access \(list) list --output json") == "[]")
            }
            #expect(try await edge.json("audit verify")["lines"] as? Int == 9)
        }
    }

    @Test func `sessions are listed and ended by id, user or all`() async throws {
        try await TestEdge.with { edge in
            let store = try await edge.store()
            for (id, email) in [("1", "ann@example.com"), ("2", "bob@example.com"), ("3", "cid@example.com")] {
                try await store.openSession(
                    AccessSession(
                        id: id, createdAt: Date(), endsAt: Date().addingTimeInterval(3600), address: "192.0.2.1",
                        profile: AccessSession.Profile(userID: "u\(id)", provider: "corp", email: email)))
            }
            #expect(try await edge.text("access session list").contains("ann@example.com  corp      192.0.2.1"))
            #expect(try await edge.json("access session end 1")["ended"] as? Int == 1)
            #expect(try await edge.text("access session end --user BOB@example.com") == "Ended 1 session")
            #expect(try await edge.failure("access session end 1").contains("there is no session of 1"))
            #expect(try await edge.json("access session end --all")["ended"] as? Int == 1)
            #expect(try await store.access().sessions.isEmpty)
            #expect(try await edge.text("access session list") == "Nobody is logged in.")
            try store.close()
        }
    }

    @Test func `keys are made, listed and removed, and never shown`() async throws {
        try await TestEdge.with { edge in
            let id = try #require(try await edge.json("access key rotate")["id"] as? String)
            #expect(id.utf8.count == 64)
            for format in ["text", "json"] {
                let list = try await edge.text("access key list --output \(format)")
                #expect(list.contains(id) && !list.contains("PRIVATE"))
            }
            _ = try await edge.text("access key remove \(id)")
            #expect(try await edge.failure("access key remove \(id)").contains("there is no signing key"))
        }
    }

    @Test func `a log that was touched fails with 1 and says where`() async throws {
        try await TestEdge.with { edge in
            for host in ["a", "b", "c"] { _ = try await edge.text("access app add \(host).site.test --open") }
            let first = try await edge.text("audit verify")
            #expect(first.hasPrefix("3 lines, unbroken\nHash of the last: "))
            let log = "\(edge.path)/audit.log"
            let text = try String(contentsOfFile: log, encoding: .utf8)
            try text.replacingOccurrences(of: "b.site.test", with: "x.site.test")
                .write(toFile: log, atomically: true, encoding: .utf8)
            #expect(try await edge.failure("audit verify").contains("\(log):3: does not follow the line before it"))
            #expect(await EdgeCommand.execute(["audit", "verify", "--data-dir", edge.path]) == 1)
        }
    }

    @Test(arguments: [
        "access group add staff --data-dir /x", "access session end --data-dir /x",
        "access session end 1 --all --data-dir /x", "access policy explain --host a --ip nowhere --data-dir /x",
        "access policy explain --host a --group g --data-dir /x", "apply --data-dir /x",
        "access app add a.site.test --open --allow everyone --data-dir /x",
    ])
    func `a wrong command line ends with 2`(_ line: String) async {
        #expect(await EdgeCommand.execute(line.split(separator: " ").map(String.init)) == 2)
    }
}
