import AccessPolicy
import EdgeStore
import FoundationEssentials
import NIOHTTP1
import TunnelConfig

/// What the gate has the audit log keep: each decision about a guarded application, and the end of what stayed open
/// (access-protocol section 3.13, 16). Whom a bypass policy lets in is nobody's to know, but where a bastion led them is.
struct GateRecord: Sendable {
    /// Nil: nobody keeps it.
    let log: AuditLog?
    private let refusals = RefusalSample()

    init(log: AuditLog?) {
        self.log = log
    }

    func admitted(_ admittance: Admittance, _ exchange: VisitorExchange) {
        guard let log, admittance.isRecorded else { return }
        log.record(event(.admit, admittance, exchange, outcome: "ok"))
    }

    /// - Parameter tokens: by whose ids a wrong token may be named: what else stands there may be a secret in the wrong place.
    func refused(
        _ refusal: VisitorGate.Refusal, _ exchange: VisitorExchange,
        knowing tokens: [ServiceTokenID: ServiceTokenRecord]
    ) {
        guard let log, let application = refusal.application else { return }
        var leftOut = 0
        if refusal.user == nil, let address = IPAddress(exchange.connection.visitor) {
            guard let before = refusals.keeps(from: address) else { return }
            leftOut = before
        }
        var event = AuditEvent(.deny, outcome: "refused", at: Date())
        event.application = application.id
        if case .policy(let policy) = refusal.denial { event.policy = policy }
        event.user = refusal.user
        event.serviceToken = refusal.wrongToken.map { token in
            tokens[ServiceTokenID(rawValue: token.clientID)].map(\.id.rawValue) ?? "unknown"
        }
        event.address = exchange.connection.visitor
        event.ray = exchange.ray
        event.destination = exchange.request.headers.first(name: ForwardedHeaders.jumpDestination)
        event.reason = refusal.page.message + (leftOut > 0 ? "; \(leftOut) more from there before were left out" : "")
        log.record(event)
    }

    /// A stream that stayed open has ended.
    ///
    /// - Parameters:
    ///   - withdrawal: that ended it, if it was that.
    ///   - seconds: that it was open.
    func ended(
        _ admittance: Admittance, _ exchange: VisitorExchange, bytesUp: Int, bytesDown: Int, seconds: Double,
        withdrawal: Admittance.Withdrawal?
    ) {
        guard let log, admittance.isRecorded else { return }
        var event = event(.end, admittance, exchange, outcome: withdrawal == nil ? "ok" : "withdrawn")
        (event.bytesUp, event.bytesDown, event.duration) = (bytesUp, bytesDown, seconds)
        event.reason = withdrawal?.rawValue
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
