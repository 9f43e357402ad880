import Access
import AccessPolicy
import NIOCore
import NIOHTTP1
import ServiceHost
import Synchronization

/// The Access service as the gate asks it: what it found about tokens is remembered, and slow answers do not keep quick
/// ones waiting. Lives as long as the edge; `run()` owns the calls.
final class AccessDesk: Sendable {
    /// What the service is to answer a visitor.
    enum Question: Sendable {
        case metadata(AccessApplication)
        case login(AccessApplication, AccessDecision.ServiceTokenLack)
        /// Something of the service's own.
        case own(AccessApplication?)
        /// The transfer store, where answers may take most of a minute.
        case store
    }

    let service: any AccessService
    let tokens: VerifiedTokens
    private let limits: EdgeLimits
    private let calls: Asides
    private let polls: Asides
    private let assertions: Mutex<BoundedMemory<AssertionKey, Assertion>>
    private let now: @Sendable () -> Duration

    private struct AssertionKey: Hashable, Sendable {
        var audience: String
        var subject: AccessDecision.Admission.Subject
    }

    private struct Assertion: Sendable {
        var text: String
        var until: Duration
    }

    init(
        service: any AccessService, limits: EdgeLimits, now: @escaping @Sendable () -> Duration = RejectionLog.uptime()
    ) {
        self.service = service
        self.limits = limits
        self.now = now
        tokens = VerifiedTokens(limit: limits.verifiedTokens, now: now)
        assertions = Mutex(BoundedMemory(limit: limits.verifiedTokens))
        calls = Asides(limit: limits.asides, atOnce: limits.asides)
        polls = Asides(limit: limits.asides, atOnce: limits.asides)
    }

    /// Makes the calls until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.calls.run() }
            group.addTask { await self.polls.run() }
        }
    }

    // MARK: Answers

    /// Has the service answer. On the exchange's event loop.
    func answer(_ question: Question, _ exchange: VisitorExchange) {
        let request = exchange.request
        var takesBody = false
        var asides = calls
        switch question {
        case .metadata, .login: break
        case .own: takesBody = true
        case .store:
            takesBody = true
            asides = polls
        }
        guard !takesBody || !request.isWebSocket else {
            exchange.respond(with: .refused(.init(status: 400, reason: "Access has no WebSockets of its own")))
            return
        }
        var terms = WholeCall.Terms(
            takesBody: takesBody, bodyBytes: limits.accessBodyBytes, patience: limits.accessAnswer,
            tooLarge: .accessBody(limit: limits.accessBodyBytes), tooLate: .accessTimeout())
        if case .store = question { terms.endsWithVisitor = true }
        let (service, visitor, ray) = (service, exchange.connection.visitor, exchange.ray)
        WholeCall.begin(exchange, terms: terms, asides: asides) { body in
            let whole = AccessRequest(
                method: request.method, target: request.path, host: request.host, authority: request.authority,
                headers: request.headers, body: body, address: visitor, ray: ray)
            return switch question {
            case .metadata(let application): await service.metadata(for: application, whole)
            case .login(let application, let lack): await service.login(to: application, whole, lack: lack)
            case .own(let application): await service.respond(to: whole, application: application)
            case .store: await service.respond(to: whole, application: nil)
            }
        }
    }

    // MARK: Tokens

    /// Finds out about a token that is not known, and remembers it.
    func verify(_ token: String) async {
        let claims = await withDeadline(Self.patience) { [service] in await service.claims(of: token, kind: .app) }
        tokens.keep(claims.flatMap(\.self).map { .good($0) } ?? .bad, on: token)
    }

    /// The assertion for a program, if it was signed lately.
    func knownAssertion(for application: AccessApplication, _ admission: AccessDecision.Admission) -> String? {
        let (key, now) = (AssertionKey(audience: application.audience, subject: admission.subject), now())
        return assertions.withLock { assertions in
            assertions[key].flatMap { now < $0.until ? $0.text : nil }
        }
    }

    /// Has one signed. False when that fails, which must keep the program out.
    func sign(for application: AccessApplication, _ admission: AccessDecision.Admission) async -> Bool {
        let start = now()
        let signed = await withDeadline(Self.patience) { [service] in
            await service.assertion(for: application, admission: admission)
        }
        guard let text = signed.flatMap(\.self) else { return false }
        let key = AssertionKey(audience: application.audience, subject: admission.subject)
        assertions.withLock { $0[key] = Assertion(text: text, until: start + Self.assertionReuse) }
        return true
    }

    /// What was signed before the policy changed may not count any more.
    func forgetAssertions() {
        assertions.withLock { $0.removeAll() }
    }

    private static let patience = Duration.seconds(5)
    /// Half the life of the shortest one.
    private static let assertionReuse = Duration.seconds(15)
}
