import Access
import AccessPolicy
import EdgeStore
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import TunnelConfig

/// An Access service whose tokens are whatever words the test gives claims to.
final class AccessDouble: AccessService {
    private struct State {
        var tokens: [String: TokenClaims] = [:]
        var verified: [String] = []
        var signs = true
        var signed = 0
    }

    enum Hold: Sendable { case begun, cancelled }

    private let state = Mutex(State())
    /// What becomes of questions for `/hold`, which are answered only by the end of the task.
    let holds: AsyncStream<Hold>
    private let held: AsyncStream<Hold>.Continuation

    init() { (holds, held) = AsyncStream.makeStream(of: Hold.self) }

    func issue(_ token: String, _ claims: TokenClaims) { state.withLock { $0.tokens[token] = claims } }
    func stopSigning() { state.withLock { $0.signs = false } }
    /// Tokens that were looked at, in order.
    var verified: [String] { state.withLock(\.verified) }
    var signed: Int { state.withLock(\.signed) }

    func claims(of token: String, kind: TokenKind) async -> TokenClaims? {
        state.withLock { state in
            state.verified.append(token)
            return state.tokens[token].flatMap { $0.kind == kind ? $0 : nil }
        }
    }

    func assertion(for application: AccessApplication, admission: AccessDecision.Admission) async -> String? {
        state.withLock { state in
            guard state.signs, case .serviceToken(let id) = admission.subject else { return nil }
            state.signed += 1
            let text = "assertion-\(application.id)-\(id)"
            state.tokens[text] = TokenClaims(
                kind: .app, audience: [application.audience], subject: "", sessionID: nil, serviceTokenID: id,
                issuedAt: Date(), expiresAt: admission.expires)
            return text
        }
    }

    func metadata(for application: AccessApplication, _ request: AccessRequest) async -> AccessResponse {
        AccessResponse(status: 200, headers: ["cf-access-metadata": "metadata-of-\(application.id)"])
    }

    func login(
        to application: AccessApplication, _ request: AccessRequest, lack: AccessDecision.ServiceTokenLack
    ) async -> AccessResponse {
        AccessResponse(
            status: 302,
            headers: [
                "location": "https://access.site.test/cdn-cgi/access/login/\(request.host)", "x-lack": "\(lack)",
                "set-cookie": "CF_AppSession=x",
            ])
    }

    func respond(to request: AccessRequest, application: AccessApplication?) async -> AccessResponse {
        if request.target == "/hold" {
            held.yield(.begun)
            let (never, source) = AsyncStream.makeStream(of: Never.self)
            for await _ in never {}
            source.finish()
            held.yield(.cancelled)
        }
        let words = [
            "own", request.method, request.host, request.target, application?.id ?? "none",
            String(buffer: request.body),
        ]
        return AccessResponse(status: 200, body: ByteBuffer(string: words.joined(separator: " ")))
    }
}

/// The policy of an edge as a test sets it.
final class PolicyDouble: PolicySource {
    private struct State {
        var version = 1
        var snapshot: AccessSnapshot
        var isLost = false
    }

    struct Lost: Error {}

    /// Nothing can be read any more.
    func lose() { state.withLock { $0.isLost = true } }

    private let state: Mutex<State>

    init(_ snapshot: AccessSnapshot) { state = Mutex(State(snapshot: snapshot)) }

    func set(_ snapshot: AccessSnapshot) {
        state.withLock { state in
            state.version += 1
            state.snapshot = snapshot
        }
    }

    func version() async throws -> Int {
        try state.withLock { state in
            if state.isLost { throw Lost() }
            return state.version
        }
    }

    func load() async throws -> AccessSnapshot { state.withLock(\.snapshot) }
}

/// People, programs and applications for the tests of the gate. `closed.site.test` asks for a login.
enum Cast {
    static let audience = String(repeating: "a", count: 64)
    static let session = AccessSession(
        id: "session-of-alice", createdAt: Date(), endsAt: Date() + 3600, address: "127.0.0.1",
        profile: .init(userID: "alice-id", provider: "idp", email: "alice@site.test"))
    static let robot = ServiceTokenRecord(
        id: EdgeHarness.serviceToken, secretHash: ServiceTokenSecret(EdgeHarness.serviceSecret).hash, name: "robot",
        createdAt: Date())

    static func claims(
        kind: TokenKind = .app, audience: String = audience, subject: String = "alice-id",
        session: String = "session-of-alice", issued: Date = Date(), life: TimeInterval = 600
    ) -> TokenClaims {
        TokenClaims(
            kind: kind, audience: [audience], subject: subject, sessionID: session, email: "alice@site.test",
            issuedAt: issued, expiresAt: Date() + life)
    }

    static func policy(_ action: Policy.Action = .allow, _ selectors: Selector...) -> Policy {
        Policy(id: "\(action)-\(selectors.count)", action: action, criteria: Criteria(include: selectors))
    }

    static let alice = policy(.allow, .email(ExactText(folding: "alice@site.test")))

    static func application(
        _ kind: AccessApplication.Kind = .selfHosted, _ policies: [Policy] = [alice], host: String = "closed.site.test"
    ) throws -> AccessApplication {
        AccessApplication(
            id: "app", audience: audience, kind: kind, domains: [try ApplicationDomain.parse(host)], policies: policies)
    }

    static func snapshot(
        _ application: AccessApplication, sessions: [AccessSession] = [session],
        revokedBefore: [String: Date] = [:]
    ) throws -> AccessSnapshot {
        AccessSnapshot(
            configuration: try AccessConfiguration(applications: [application], tokens: [robot]), sessions: sessions,
            revokedBefore: revokedBefore)
    }
}
