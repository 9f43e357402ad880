import AccessPolicy
import ControlServer
import EdgeStore
import Foundation
import Logging
import NIOCore
import Testing

@Suite struct AccessCallTests {
    private let api = API()
    private let access = "/accounts/\(API.accountID)/access"

    /// Creates a thing and gives its id.
    private func create(_ path: String, _ body: String) async throws -> String {
        let answer = await api.call("POST", "\(access)/\(path)", body: body)
        #expect(answer.status == 200, "\(answer.message)")
        return try #require(answer.object["id"] as? String)
    }

    @Test func `the audit log says from where a change came`() async throws {
        let log = AuditLog(path: NSTemporaryDirectory() + "audit-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: log.path) }
        let server = ControlServer(store: api.store, audit: log, logger: Logger(label: "test"), now: { API.start })
        let reply = await server.respond(
            method: "POST", path: "/client/v4\(access)/groups", headers: [("authorization", "Bearer \(API.token)")],
            body: ByteBuffer(string: #"{"name":"staff","include":[{"everyone":{}}]}"#),
            from: ControlServer.Caller(address: "192.0.2.9", ray: "8f00"))
        #expect(reply.status == 200)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await log.run() }
            group.cancelAll()
        }
        let line = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: log.path)))
        let event = try #require(line as? [String: Any])
        #expect(event["action"] as? String == "admin" && event["user"] as? String == "account API")
        #expect(event["address"] as? String == "192.0.2.9" && event["ray"] as? String == "8f00")
    }

    private static let provider = """
        {"name":"Corp","type":"oidc","config":{"issuer":"https://login.test","client_id":"e","client_secret":"hunter2",
        "pkce_enabled":true}}
        """

    @Test func `an application goes round in the official shape`() async throws {
        let group = try await create(
            "groups", #"{"name":"staff","include":[{"email_domain":{"domain":"example.com"}}]}"#)
        let id = try await create(
            "apps",
            """
            {"name":"Desk","type":"self_hosted","domain":"desk.site.localhost","session_duration":"24h",
             "self_hosted_domains":["desk.site.localhost","desk.site.localhost/admin"],"app_launcher_visible":true,
             "allowed_idps":[],"policies":[{"name":"staff","decision":"allow","precedence":1,
             "include":[{"group":{"id":"\(group)"}}],"require":[],"exclude":[]}]}
            """)
        let shown = await api.call("GET", "\(access)/apps/\(id)").object
        #expect(shown["domain"] as? String == "desk.site.localhost")
        #expect((shown["self_hosted_domains"] as? [String])?.count == 2)
        #expect((shown["destinations"] as? [[String: Any]])?.first?["type"] as? String == "public")
        #expect((shown["aud"] as? String)?.utf8.count == 64)
        #expect((shown["policies"] as? [[String: Any]])?.first?["decision"] as? String == "allow")
        // What is shown can be sent back.
        let text = String(decoding: try JSONSerialization.data(withJSONObject: shown), as: UTF8.self)
        let version = await api.store.version()
        let again = await api.call("PUT", "\(access)/apps/\(id)", body: text)
        #expect(again.status == 200, "\(again.message)")
        #expect(await api.store.version() == version)
        // Without policies the old ones stay, and so does the tag.
        let renamed = await api.call(
            "PUT", "\(access)/apps/\(id)", body: #"{"name":"Desktop","domain":"desk.site.localhost"}"#
        ).object
        #expect(renamed["name"] as? String == "Desktop" && renamed["aud"] as? String == shown["aud"] as? String)
        #expect((renamed["policies"] as? [Any])?.count == 1)
        #expect(await api.call("GET", "\(access)/apps").list.count == 1)
        #expect(await api.call("DELETE", "\(access)/groups/\(group)").message.contains("there is no group"))
        #expect(await api.call("POST", "\(access)/apps/\(id)/revoke_tokens").status == 200)
        let audience = try #require(shown["aud"] as? String)
        #expect(try await api.store.access().revokedBefore == [audience: API.start])
        #expect(await api.call("DELETE", "\(access)/apps/\(id)").object["id"] as? String == id)
        #expect(await api.call("GET", "\(access)/apps/\(id)").status == 404)
        #expect(await api.call("DELETE", "\(access)/groups/\(group)").status == 200)
    }

    @Test func `policies of an application are made, changed and removed`() async throws {
        let app = try await create("apps", #"{"name":"a","domain":"a.site.localhost"}"#)
        let policies = "apps/\(app)/policies"
        let id = try await create(policies, #"{"name":"all","decision":"bypass","include":[{"everyone":{}}]}"#)
        #expect(await api.call("GET", "\(access)/\(policies)/\(id)").object["decision"] as? String == "bypass")
        let changed = await api.call(
            "PUT", "\(access)/\(policies)/\(id)",
            body: #"{"name":"all","decision":"deny","include":[{"everyone":{}}],"precedence":3}"#)
        #expect(changed.object["decision"] as? String == "deny" && changed.object["precedence"] as? Int == 3)
        let broken = await api.call(
            "PUT", "\(access)/\(policies)/\(id)", body: #"{"name":"all","decision":"deny","include":[{"posture":{}}]}"#)
        #expect(broken.status == 400 && broken.message.contains("posture"))
        #expect(await api.call("GET", "\(access)/\(policies)").list.count == 1)
        #expect(await api.call("DELETE", "\(access)/\(policies)/\(id)").object["id"] as? String == id)
        #expect(await api.call("DELETE", "\(access)/\(policies)/\(id)").status == 404)
        #expect(await api.call("GET", "\(access)/\(policies)").list.isEmpty)
    }

    @Test func `a provider's secret is kept and never shown`() async throws {
        let id = try await create("identity_providers", Self.provider)
        let shown = await api.call("GET", "\(access)/identity_providers/\(id)").object
        #expect((shown["config"] as? [String: Any])?["client_id"] as? String == "e")
        #expect((shown["config"] as? [String: Any])?["client_secret"] == nil)
        let renamed = await api.call(
            "PUT", "\(access)/identity_providers/\(id)",
            body: #"{"name":"New","type":"oidc","config":{"issuer":"https://login.test","client_id":"f"}}"#)
        #expect(renamed.status == 200, "\(renamed.message)")
        let provider = try #require(try await api.store.access().providers.first)
        #expect(provider.clientSecret.text == "hunter2" && provider.clientID == "f" && provider.name == "New")
        let moved = await api.call(
            "PUT", "\(access)/identity_providers/\(id)",
            body: #"{"name":"New","type":"oidc","config":{"issuer":"https://evil.test","client_id":"f"}}"#)
        #expect(moved.status == 400 && moved.message.contains("client_secret"))
        #expect(try await api.store.access().providers.first?.issuer == "https://login.test")
        let list = await api.call("GET", "\(access)/identity_providers")
        #expect(!"\(list.json)".contains("hunter2") && list.list.count == 1)
    }

    @Test func `a service token's secret is shown once`() async throws {
        let made = await api.call("POST", "\(access)/service_tokens", body: #"{"name":"ci","duration":"24h"}"#).object
        let id = try #require(made["id"] as? String)
        let secret = try #require(made["client_secret"] as? String)
        #expect(UUID(uuidString: id) != nil && secret.utf8.count == 64)
        #expect((made["client_id"] as? String)?.hasSuffix(".access") == true)
        let token = try #require(try await api.store.access().configuration.tokens.values.first)
        #expect(token.recordID == id && token.expiresAt == API.start.addingTimeInterval(86_400))
        let list = await api.call("GET", "\(access)/service_tokens")
        #expect(list.list.count == 1 && !"\(list.json)".contains(secret))
        let app = try await create(
            "apps",
            #"{"name":"a","domain":"a.site.localhost","policies":[{"name":"p","decision":"non_identity","include":[{"service_token":{"token_id":"\#(id)"}}]}]}"#
        )
        #expect(await api.call("DELETE", "\(access)/service_tokens/\(id)").message.contains("still names"))
        #expect(await api.call("DELETE", "\(access)/apps/\(app)").status == 200)
        #expect(await api.call("DELETE", "\(access)/service_tokens/\(id)").status == 200)
        #expect(await api.call("GET", "\(access)/service_tokens/\(id)").status == 404)
    }

    @Test(arguments: [
        ("apps", #"{"name":"a","domain":"a.other.test"}"#, "not inside this edge's zone"),
        ("apps", #"{"name":"a"}"#, "guards nothing"), ("apps", "[]", "the body is not"),
        ("apps", #"{"name":"a","domain":"a.site.localhost","allowed_idps":["x"]}"#, "allowed_idps"),
        ("apps", #"{"name":"a","domain":"a.site.localhost","policies":["id"]}"#, "whole policies"),
        ("apps", #"{"name":"a","domain":"a.site.localhost","policies":"all"}"#, "a list of policies"),
        ("apps", #"{"name":"a","domain":"a.site.localhost","enable_binding_cookie":true}"#, "enable_binding_cookie"),
        ("apps", #"{"name":"a","domain":"a.site.localhost","same_site_cookie_attribute":"strict"}"#, "less safe"),
        ("apps", #"{"name":"a","domain":"a.site.localhost","posture":1}"#, "posture"),
        ("apps", #"{"name":"a","domain":"a.site.localhost","type":"saas"}"#, "saas"),
        ("groups", #"{"name":"g","include":[]}"#, "include is empty"), ("groups", "{", "the body is not"),
        ("identity_providers", #"{"name":"i","type":"okta","config":{}}"#, "type"),
        ("service_tokens", #"{"name":""}"#, "1 to 255"), ("service_tokens", #"{"name":"a","duration":"x"}"#, "8760h"),
        ("organizations/revoke_user", "{}", "email is missing"),
    ])
    func `what is not understood is refused with its reason`(_ path: String, _ body: String, _ reason: String) async {
        let answer = await api.call("POST", "\(access)/\(path)", body: body)
        #expect(answer.status == 400 && answer.message.contains(reason), "\(answer.status) \(answer.message)")
        #expect(answer.json["success"] as? Bool == false)
    }

    @Test func `another account, an unknown id and no token are told apart`() async {
        for path in ["apps", "groups", "identity_providers", "service_tokens"] {
            #expect(await api.call("GET", "\(access)/\(path)", authorization: nil).status == 401)
            #expect(await api.call("GET", "/accounts/other/access/\(path)").status == 404)
            #expect(await api.call("GET", "\(access)/\(path)/none").status == 404)
            #expect(await api.call("DELETE", "\(access)/\(path)/none").status == 404)
        }
    }
}
