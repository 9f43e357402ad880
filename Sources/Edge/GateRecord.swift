import AccessPolicy
import EdgeStore
import FoundationEssentials
import NIOCore
import NIOHTTP1
import TunnelConfig

/// What the gate has the audit log keep: each decision about a guarded application, and the end of what stayed open
/// (access-protocol section 3.13, 16). Whom a bypass policy lets in is nobody's to know, but where a bastion led them is.
struct GateRecord: Sendable {
    /// Nil: nobody keeps it.
    let log: AuditLog?
    private let throttle: RefusalThrottle
    private let window: TimeAmount

    init(log: AuditLog?, limits: EdgeLimits) {
        self.log = log
        throttle = RefusalThrottle(limit: limits.refusalsKept)
        window = limits.refusalWindow
    }

    func admitted(_ admittance: Admittance, _ exchange: VisitorExchange) {
        guard let log, admittance.isRecorded else { return }
        log.record(event(.admit, admittance, exchange, outcome: "ok"))
    }

    /// On the exchange's event loop.
    ///
    /// - Parameter tokens: that there are.
    func refused(
        _ refusal: VisitorGate.Refusal, _ exchange: VisitorExchange, tokens: [ServiceTokenID: ServiceTokenRecord]
    ) {
        guard let log, let application = refusal.application else { return }
        if refusal.user == nil, !isKept(exchange, log) { return }
        var event = AuditEvent(.deny, outcome: "refused", at: Date())
        event.application = application.id
        if case .policy(let policy) = refusal.denial { event.policy = policy }
        event.user = refusal.user
        event.serviceToken = refusal.wrongToken.map { Self.name($0, tokens) }
        event.address = exchange.connection.visitor
        event.ray = exchange.ray
        event.destination = exchange.request.headers.first(name: ForwardedHeaders.jumpDestination)
        event.reason = refusal.page.message
        log.record(event)
    }

    /// Whether a stranger's refusal is written down. What is left out is told, as a number, when the window is over.
    private func isKept(_ exchange: VisitorExchange, _ log: AuditLog) -> Bool {
        let visitor = exchange.connection.visitor
        guard let address = IPAddress(visitor) else { return true }
        let (verdict, source) = throttle.refused(address.unmapped)
        guard verdict == .first else { return verdict == .keep }
        exchange.eventLoop.assumeIsolated().scheduleTask(in: window) { [throttle] in
            let count = throttle.ended(source)
            guard count > 0 else { return }
            var event = AuditEvent(.deny, outcome: "left_out", at: Date())
            event.address = source == nil ? nil : visitor
            event.reason = "\(count) more were refused"
            log.record(event)
        }
        return true
    }

    /// Only an id that is one: people paste secrets into the wrong header.
    private static func name(
        _ token: PresentedServiceToken, _ tokens: [ServiceTokenID: ServiceTokenRecord]
    ) -> String {
        guard tokens[ServiceTokenID(rawValue: token.clientID)] == nil else { return token.clientID }
        let digest = ServiceTokenSecret(token.clientID).hash.prefix(4)
        return "unknown:" + digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// A stream that stayed open has ended.
    ///
    /// - Parameters:
    ///   - withdrawal: that ended it, if it was that.
    ///   - refusal: why a WebSocket never opened, if it did not.
    ///   - seconds: that it was open.
    func ended(
        _ admittance: Admittance, _ exchange: VisitorExchange, bytesUp: Int, bytesDown: Int, seconds: Double,
        withdrawal: Admittance.Withdrawal?, refusal: String? = nil
    ) {
        guard let log, admittance.isRecorded else { return }
        let outcome = withdrawal != nil ? "withdrawn" : refusal == nil ? "ok" : "failed"
        var event = event(.end, admittance, exchange, outcome: outcome)
        (event.bytesUp, event.bytesDown, event.duration) = (bytesUp, bytesDown, seconds)
        event.reason = withdrawal?.rawValue ?? refusal
        log.record(event)
    }

    private func event(
        _ action: AuditEvent.Action, _ admittance: Admittance, _ exchange: VisitorExchange, outcome: String
    ) -> AuditEvent {
        var event = AuditEvent(action, outcome: outcome, at: Date())
        event.application = admittance.application.id
        event.policy = admittance.policy
        event.address = exchange.connection.visitor
        event.ray = exchange.ray
        event.destination = admittance.destination?.description
        switch admittance.subject {
        case .anyone, .certificate: break
        case .user(_, let session):
            event.user = admittance.name
            event.session = session.id
        case .serviceToken(let record, _): event.serviceToken = record.id.rawValue
        }
        return event
    }
}

extension Admittance {
    fileprivate var isRecorded: Bool { isGuarded || destination != nil }
}
