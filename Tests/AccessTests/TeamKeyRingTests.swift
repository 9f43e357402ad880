import AccessPolicy
import Foundation
import Synchronization
import Testing

@testable import Access

/// When a connector asks for a team's keys, and what it believes without them.
struct TeamKeyRingTests {
    private static let keys = Result {
        (try TokenSigner.generateKey().privateKeyPEM, try TokenSigner.generateKey().privateKeyPEM)
    }
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)
    private static let issuer = "https://acme.site.test"

    /// A team's certs address, and the time.
    private final class Team: Sendable {
        struct Down: Error {}

        struct State {
            var keys: [TokenSigner.PublicKey] = []
            var isDown = false
            var fetches = 0
            var time = Duration.zero
            var isHeld = false
            var held: [CheckedContinuation<Void, Never>] = []
        }

        let state = Mutex(State())

        func set(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

        func pass(_ seconds: Int) { set { $0.time += .seconds(seconds) } }

        var fetches: Int { state.withLock(\.fetches) }

        func ring() -> TeamKeyRing {
            TeamKeyRing(issuer: issuer, elapsed: { self.state.withLock(\.time) }) { try await self.fetch() }
        }

        private func fetch() async throws -> [UInt8] {
            set { $0.fetches += 1 }
            await withCheckedContinuation { continuation in
                let isHeld = state.withLock { state in
                    if state.isHeld { state.held.append(continuation) }
                    return state.isHeld
                }
                if !isHeld { continuation.resume() }
            }
            return try state.withLock { state in
                if state.isDown { throw Down() }
                let keys = state.keys.map {
                    #"{"kty":"RSA","alg":"RS256","use":"sig","kid":"\#($0.id)","n":"\#($0.modulus)","e":"\#($0.exponent)"}"#
                }
                return Array(#"{"keys":[\#(keys.joined(separator: ","))]}"#.utf8)
            }
        }

        func release() {
            let held = state.withLock { state in
                state.isHeld = false
                defer { state.held = [] }
                return state.held
            }
            for continuation in held { continuation.resume() }
        }
    }

    private let team = Team()
    private let signer: TokenSigner
    private let next: TokenSigner

    init() async throws {
        let (first, second) = try Self.keys.get()
        signer = try await TokenSigner(privateKeyPEM: first)
        next = try await TokenSigner(privateKeyPEM: second)
        team.set { [signer] in $0.keys = [signer.publicKey] }
    }

    private func token(of signer: TokenSigner) async throws -> CompactToken {
        var body = TokenBody(type: "app", aud: .list(["aud"]), iat: Int(Self.now.timeIntervalSince1970))
        body.iss = Self.issuer
        body.exp = body.iat + 3600
        return try #require(CompactToken(try await signer.sign(body)))
    }

    @Test func `keys are fetched once, by one caller for all`() async throws {
        let ring = team.ring()
        let token = try await token(of: signer)
        team.set { $0.isHeld = true }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask { try await ring.body(of: token, now: Self.now) != nil }
            }
            while team.state.withLock({ $0.held.isEmpty }) { await Task.yield() }
            team.release()
            for try await isGood in group { #expect(isGood) }
        }
        #expect(team.fetches == 1)
    }

    @Test func `an unknown key is asked for, but not more than once a minute`() async throws {
        let ring = team.ring()
        let (known, unknown) = (try await token(of: signer), try await token(of: next))
        #expect(try await ring.body(of: known, now: Self.now) != nil)
        for _ in 0..<50 { #expect(try await ring.body(of: unknown, now: Self.now) == nil) }
        #expect(team.fetches == 1)
        team.set { [next] in $0.keys.append(next.publicKey) }
        team.pass(61)
        #expect(try await ring.body(of: unknown, now: Self.now) != nil)
        #expect(team.fetches == 2)
    }

    @Test func `without keys nobody is let in, and keys that are too old are none`() async throws {
        let ring = team.ring()
        let token = try await token(of: signer)
        team.set { $0.isDown = true }
        await #expect(throws: AssertionError.self) { try await ring.body(of: token, now: Self.now) }
        await #expect(throws: AssertionError.self) { try await ring.body(of: token, now: Self.now) }
        #expect(team.fetches == 1)
        team.set { $0.isDown = false }
        team.pass(3)
        #expect(try await ring.body(of: token, now: Self.now) != nil)
        team.set { $0.isDown = true }
        team.pass(3601)
        // Still good, though the team cannot be asked.
        #expect(try await ring.body(of: token, now: Self.now) != nil)
        #expect(team.fetches == 3)
        team.pass(6 * 3600)
        await #expect(throws: AssertionError.self) { try await ring.body(of: token, now: Self.now) }
    }

    @Test func `a key that the team takes back counts no more after the next look`() async throws {
        let ring = team.ring()
        let token = try await token(of: signer)
        #expect(try await ring.body(of: token, now: Self.now) != nil)
        team.set { [next] in $0.keys = [next.publicKey] }
        team.pass(3601)
        #expect(try await ring.body(of: token, now: Self.now) == nil)
    }

    @Test func `an answer that holds no keys replaces none`() async throws {
        let ring = team.ring()
        let token = try await token(of: signer)
        #expect(try await ring.body(of: token, now: Self.now) != nil)
        team.set { $0.keys = [] }
        team.pass(3601)
        #expect(try await ring.body(of: token, now: Self.now) != nil)
    }
}
