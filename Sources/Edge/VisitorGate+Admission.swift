import Access
import AccessPolicy
import ByteStream
import FoundationEssentials
import Logging
import NIOCore
import NIOHTTP1
import ServiceHost
import TunnelConfig

extension VisitorGate {
    /// What was done for a request so far because it could not be decided at once.
    struct Look {
        /// Policy and routes were read anew.
        var isRefreshed = false
        /// No assertion could be signed.
        var isUnsigned = false
        var turns = 0

        /// A token is verified, an assertion signed, the snapshots read: no request needs more turns.
        static let mostTurns = 6
    }

    enum Verdict {
        /// With the answer in case that there are no links and none comes.
        case pass(Admittance, [RoutedLink], none: EdgePage)
        /// The Access service answers; whether a change that we have not seen yet could make it needless.
        case ask(
            AccessDesk, AccessDesk.Question, mayBeStale: Bool = false, wrongToken: PresentedServiceToken? = nil)
        case verify(AccessDesk, token: String)
        case sign(AccessDesk, AccessApplication, AccessDecision.Admission)
        /// A client only wants to know whether its token opens the door (access-protocol section 2.13).
        case tokenGood
        case refuse(Refusal)
    }

    /// That a visitor is not let in, and what the logs are told of it.
    struct Refusal: Error {
        var page: EdgePage
        var application: AccessApplication?
        var denial: AccessDecision.Denial?
        var user: String?
        /// Whether a change that we have not seen yet could be the reason.
        var mayBeStale: Bool
        /// One that was tried and is not right.
        var wrongToken: PresentedServiceToken?

        init(
            _ page: EdgePage, _ application: AccessApplication? = nil, _ denial: AccessDecision.Denial? = nil,
            user: String? = nil, mayBeStale: Bool = false, wrongToken: PresentedServiceToken? = nil
        ) {
            self.page = page
            self.application = application
            self.denial = denial
            self.user = user
            self.mayBeStale = mayBeStale
            self.wrongToken = wrongToken
        }
    }

    /// Decides about a request, and does what follows. On its event loop.
    func admit(_ exchange: VisitorExchange, _ look: Look = Look()) {
        guard !exchange.isAnswered else { return }
        let changes = streams.changeCount
        switch verdict(exchange, look) {
        case .pass(let admittance, let links, let none):
            let relay = OriginRelay(
                exchange: exchange, admittance: admittance, none: none, limits: limits, logger: logger,
                policies: policies, streams: streams, record: record
            ) { [routes] in
                routes.look(up: exchange.request.host, near: exchange.eventLoop).links
            }
            logger.debug(
                "Visitor admitted", metadata: metadata(exchange, ["as": "\(admittance.name ?? "anyone")"]))
            record.admitted(admittance, exchange)
            relay.start(on: links, since: changes)
        case .ask(let desk, let question, let mayBeStale, let wrongToken):
            if mayBeStale, lookAgain(exchange, look) { return }
            if let wrongToken { noteFailure(wrongToken, exchange) }
            desk.answer(question, exchange)
        case .verify(let desk, let token):
            aside(exchange, look) { _ in await desk.verify(token) }
        case .sign(let desk, let application, let admission):
            aside(exchange, look) { look in
                look.isUnsigned = await !desk.sign(for: application, admission)
            }
        case .tokenGood:
            let headers: HTTPHeaders = ["cache-control": "no-store", "content-length": "0"]
            exchange.respond(status: 200, headers: headers, body: ByteBuffer())
        case .refuse(let refusal):
            if refusal.mayBeStale, lookAgain(exchange, look) { return }
            refuse(exchange, refusal)
        }
    }

    private func refuse(_ exchange: VisitorExchange, _ refusal: Refusal) {
        if let wrongToken = refusal.wrongToken { noteFailure(wrongToken, exchange) }
        var page = refusal.page
        if let application = refusal.application {
            page = page.naming(audience: application.audience, of: exchange.request.host)
        }
        record.refused(refusal, exchange, tokens: policies.snapshot.configuration.tokens)
        logger.info(
            "Visitor refused",
            metadata: metadata(exchange, ["status": "\(page.status)", "reason": "\(page.message)"]))
        exchange.respond(with: page)
    }

    private func noteFailure(_ token: PresentedServiceToken, _ exchange: VisitorExchange) {
        guard let address = IPAddress(exchange.connection.visitor) else { return }
        failures.failed(token, from: address.unmapped)
    }

    /// Reads policy and routes anew, then decides again. False when that was done before or cannot be done.
    private func lookAgain(_ exchange: VisitorExchange, _ look: Look) -> Bool {
        guard !look.isRefreshed else { return false }
        return looks.add { [self] in
            exchange.eventLoop.execute {
                var look = look
                look.isRefreshed = true
                admit(exchange, look)
            }
        }
    }

    /// Does what has to be waited for, then decides again.
    private func aside(
        _ exchange: VisitorExchange, _ look: Look, _ work: @escaping @Sendable (inout Look) async -> Void
    ) {
        guard look.turns < Look.mostTurns else { return exchange.respond(with: .overloaded()) }
        let isTaken = asides.add { [self] in
            var next = look
            next.turns += 1
            await work(&next)
            let look = next
            exchange.eventLoop.execute { admit(exchange, look) }
        }
        if !isTaken { exchange.respond(with: .overloaded()) }
    }
}
