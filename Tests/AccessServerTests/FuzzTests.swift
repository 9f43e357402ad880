import Access
import AccessPolicy
import Foundation
import Fuzzing
import NIOHTTP1
import Testing

@testable import AccessServer

/// Whatever bytes come: no trap, no hang, nothing let in.
struct FuzzTests {
    @Test func `no changed token is taken for a good one`() async throws {
        try await withTeam { team, _, browser in
            _ = try await browser.open(LoginTests.app)
            let good = try #require(browser.cookie(Cookies.authorization, at: "app.site.test"))
            let parts = good.split(separator: ".").map { String(decoding: Base64URL.decode($0) ?? [], as: UTF8.self) }
            await fuzz(rounds: 1500, seed: 20_261_128, parts: 4) { dice in
                var token = dice.mutated(good)
                if Bool.random(using: &dice) {
                    // Changed inside, with the signature of the good one.
                    let head = dice.mutated(parts[0])
                    let body = dice.mutated(parts[1])
                    token =
                        "\(Base64URL.encode(head.utf8)).\(Base64URL.encode(body.utf8)).\(good.split(separator: ".")[2])"
                }
                guard token != good else { return }
                for kind in TokenKind.allCases {
                    let claims = await team.server.claims(of: token, kind: kind)
                    #expect(claims == nil, "\(token)")
                }
            }
        }
    }

    @Test func `cookies, forms and paths of any bytes are read without harm`() async throws {
        let seeds = [
            "CF_Authorization=a.b.c; CF_AppSession=0123456789abcdef0123456789abcdef; x=\"y\"",
            "aud=aaaa&token=B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9_AsrhtHHw%3D&redirect_url=https%3A%2F%2Fapp.site.test",
            "/cdn-cgi/access/login/app.site.test:8443?kid=a&redirect_url=%2F&meta=x.y.z",
            "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA== c",
        ]
        await fuzz(rounds: 20_000, seed: 20_261_128, parts: 4) { dice in
            let text = dice.mutated(seeds.randomElement(using: &dice) ?? "")
            _ = Cookies(["cookie": text])[Cookies.authorization]
            _ = Form(text)?["aud"]
            _ = SealedBox.PublicKey(text: text)
            _ = SSHPublicKey(line: text)
            _ = CompactToken(text)
            if let path = RedirectPath(text) {
                #expect(path.text.first == "/" && !path.text.hasPrefix("//") && !path.text.contains("\\"))
                #expect(path.text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f })
            }
        }
    }

    @Test func `any request gets a whole answer, and no session`() async throws {
        let team = try await TeamFixture(providers: [])
        let seeds = [
            "/cdn-cgi/access/login/app.site.test:8443?kid=aaaa&redirect_url=%2F&meta=e30.e30.e30",
            "/cdn-cgi/access/callback?code=1&state=2", "/cdn-cgi/access/authorized?nonce=1&state=2",
            "/cdn-cgi/access/cli?aud=aaaa&token=B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9_AsrhtHHw%3D&redirect_url=x",
            "/cdn-cgi/access/cert_sign", "/argotunnel?callback=https://x/y", "/cdn-cgi/access/get-identity",
        ]
        let hosts = ["app.site.test", "acme.site.test", "login.site.test"]
        await fuzz(rounds: 3000, seed: 20_261_128, parts: 4) { dice in
            let host = hosts.randomElement(using: &dice) ?? ""
            var target = dice.mutated(seeds.randomElement(using: &dice) ?? "")
            // The store would wait.
            if host == "login.site.test" { target = "/x" + target }
            let request = AccessRequest(
                method: ["GET", "HEAD", "POST", "PUT", "x"].randomElement(using: &dice) ?? "", target: target,
                host: host, authority: "\(host):8443",
                headers: ["cookie": dice.mutated("CF_Authorization=a.b.c; CF_Session=1")],
                address: "192.0.2.1", ray: "ray")
            let response = await team.server.respond(to: request, application: nil)
            #expect((200..<600).contains(response.status))
            for header in response.headers {
                #expect(header.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "\(header)")
            }
        }
        #expect(team.policies.snapshot.sessions.isEmpty)
    }

    @Test func `a policy file of any bytes is read or refused`() async throws {
        await fuzz(rounds: 300, seed: 20_261_128, parts: 4) { dice in
            let text = dice.mutated(TeamFixture.applications)
            guard let file = try? AccessFile.parse(text, path: "access.yml") else { return }
            _ = try? file.configuration()
        }
    }
}
