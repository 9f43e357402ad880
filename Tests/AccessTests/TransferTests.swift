import AccessPolicy
import Foundation
import Synchronization
import TestKit
import Testing
import TunnelConfig

@testable import Access

/// What the transfer store may say, and what then: access-protocol section 2.10.
@Suite(.timeLimit(.minutes(1))) struct TransferTests {
    private struct Lost: Error {}

    private func store(_ clock: any Clock<Duration>, _ answer: @escaping @Sendable (Int) throws -> WebAnswer) throws
        -> (TransferStore, @Sendable () -> Int)
    {
        let count = Counter()
        let transport = Answering { _ in try answer(count.next()) }
        return (
            TransferStore(
                base: try #require(WebURL("https://login.localhost/")), transport: transport, userAgent: "t",
                clock: clock),
            { count.value }
        )
    }

    private final class Counter: Sendable {
        private let count = Mutex(0)
        var value: Int { count.withLock { $0 } }
        func next() -> Int {
            count.withLock { count in
                count += 1
                return count
            }
        }
    }

    @Test func `a store that does not hold the question is not stormed, and given up after ten minutes`() async throws {
        let clock = ManualClock()
        let (store, count) = try store(clock) { _ in WebAnswer(status: 404) }
        let answer = Task { try await store.fetch("transfer/k") {} }
        for round in 1...300 {
            await clock.waitForSleepers(1)
            #expect(count() == round)
            clock.advance(by: .seconds(2))
        }
        let error = await #expect(throws: LoginError.self) { try await answer.value }
        #expect(error?.code == .transfer && count() == 300)
    }

    @Test func `a server's failure ends it, an empty answer or a short cut in the network does not`() async throws {
        let clock = ManualClock()
        let (broken, asked) = try store(clock) { _ in WebAnswer(status: 503) }
        let error = await #expect(throws: LoginError.self) { try await broken.fetch("k") {} }
        #expect(error?.code == .transfer && asked() == 1)

        let (patient, count) = try store(clock) { count in
            switch count {
            case 1: WebAnswer(status: 200)
            case 2, 3: throw Lost()
            default: WebAnswer(status: 200, body: [1])
            }
        }
        let answer = Task { try await patient.fetch("k") {} }
        for _ in 1...3 {
            await clock.waitForSleepers(1)
            clock.advance(by: .seconds(2))
        }
        #expect(try await answer.value.body == [1])
        #expect(count() == 4)

        let (lost, tries) = try store(clock) { _ in throw Lost() }
        let never = Task { try await lost.fetch("k") {} }
        for _ in 1...2 {
            await clock.waitForSleepers(1)
            clock.advance(by: .seconds(2))
        }
        await #expect(throws: LoginError.self) { try await never.value }
        #expect(tries() == 3)
    }

    @Test func `what was sealed for another login is refused`() async throws {
        let team = try TeamDouble()
        let bench = try LoginBench(
            team: team,
            transport: Answering { request in
                var request = request
                if request.url.path.hasPrefix("/transfer/"), let stranger = SealedBox.KeyPair.generate() {
                    request.url.path = "/transfer/\(stranger.publicKey.text)"
                }
                return try await team.send(request)
            })
        let error = await #expect(throws: LoginError.self) { try await bench.token() }
        #expect(error?.code == .transfer)
        #expect(!bench.files.contains { $0.hasSuffix("-token") || $0.hasSuffix(".lock") || $0.hasSuffix(".url") })
    }

    @Test func `the account's certificate comes by its own key`() async throws {
        let bench = try LoginBench()
        let certificate = try await bench.login.accountCertificate(
            loginURL: try #require(WebURL("https://acme.localhost:8443/argotunnel?a=1")),
            callbackURL: try #require(WebURL("https://login.localhost:8443/")), path: "cert.pem")
        #expect(certificate.zoneID == "z1" && certificate.accountID == "a1" && certificate.apiToken.text == "t1")
        let page = try #require(bench.presenter.pages.withLock { $0.first })
        #expect(page.yield == .certificate)
        let shown = try #require(WebURL(page.url))
        #expect(shown.items.map(\.name) == ["a", "aud", "callback"])
        #expect(shown.items.last?.value.hasPrefix("https://login.localhost:8443/") == true)
    }

    @Test func `ssh's key is signed by the token's own team only`() async throws {
        let bench = try LoginBench()
        try await bench.login.certifyKey(at: bench.url)
        #expect(try bench.store.read("rdp.localhost-cf_key")?.hasPrefix("-----BEGIN EC PRIVATE KEY-----\n") == true)
        #expect(try bench.store.read("rdp.localhost-cf_key.pub")?.hasPrefix("ecdsa-sha2-nistp256 AAAA") == true)
        #expect(
            try bench.store.read("rdp.localhost-cf_key-cert.pub")?.hasPrefix("ecdsa-sha2-nistp256-cert-v01@") == true)
        #expect(bench.mode("rdp.localhost-cf_key") == 0o600)
        let application = try await bench.login.application(at: bench.url)
        let foreign = try await bench.team.sign([
            "aud": .string(bench.team.audience), "iss": .string("https://evil.test"), "exp": .number(4_000_000_000),
        ])
        let token = try #require(AccessToken(foreign))
        await #expect(throws: LoginError.self) {
            try await ShortLivedKey(bench.url, in: bench.store).certify(
                by: token, of: application, bench.team, userAgent: "t")
        }
        #expect(bench.team.asked("/cdn-cgi/access/cert_sign").count == 1)
    }
}
