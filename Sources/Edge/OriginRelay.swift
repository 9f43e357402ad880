import Access
import ByteStream
import EdgeTransport
import FoundationEssentials
import Logging
import NIOCore
import NIOHTTP1
import TunnelWire

/// Carries one admitted request to a connector and the answer back, in this order: open a stream, splice the bodies,
/// answer the head. A WebSocket is spliced once it is accepted. Where a link fails before the answer, another one carries
/// the request if it may be sent again.
///
/// Lives until both ends are over. Works on the visitor's loop; the stream may live on another one.
// Safety: all state is touched on the visitor's loop; `open` and what it calls on a link's loop use constants only.
final class OriginRelay: @unchecked Sendable {
    private let exchange: VisitorExchange
    private let limits: EdgeLimits
    private let logger: Logger
    let admittance: Admittance
    private let policies: PolicyCache
    private let streams: OpenStreams
    private let record: GateRecord
    /// The links that there are now, in the order in which to try them.
    private let links: @Sendable () -> [RoutedLink]
    private let none: EdgePage
    private let request: StreamRequest

    private let stream: OriginStream
    private var machine: StateMachine
    private var attempt: Attempt?
    private var lastError = LinkError(.noCapacity, "there is no link that takes a stream")
    /// The visitor's end, once it is a WebSocket.
    private var socket: VisitorSocket?
    /// Runs until the answer begins.
    private var timer: Scheduled<Void>?
    private var nextLook: Scheduled<Void>?
    private var admissionTimer: Scheduled<Void>?
    private var withdrawal: Admittance.Withdrawal?
    private var isEndRecorded = false
    private let begin = NIODeadline.now()

    /// - Parameters:
    ///   - admittance: why the visitor was let in, looked at again and again while the stream lives.
    ///   - none: the answer when there is no link, nor comes one.
    ///   - links: who serves the request, asked again when a link has failed.
    init(
        exchange: VisitorExchange, admittance: Admittance, none: EdgePage, limits: EdgeLimits, logger: Logger,
        policies: PolicyCache, streams: OpenStreams, record: GateRecord,
        links: @escaping @Sendable () -> [RoutedLink]
    ) {
        self.exchange = exchange
        self.admittance = admittance
        self.none = none
        self.limits = limits
        self.logger = logger
        self.policies = policies
        self.streams = streams
        self.record = record
        self.links = links
        let asked = exchange.request
        request = StreamRequest(
            kind: asked.isWebSocket ? .webSocket : .http, method: asked.method, path: asked.path,
            authority: asked.authority,
            headers: ForwardedHeaders.request(
                asked, visitor: exchange.connection.visitor, ray: exchange.ray, admittance: admittance),
            hasBody: asked.isWebSocket || exchange.hasBody)
        stream = OriginStream(on: exchange.eventLoop, keeping: limits.repeatableBytes)
        machine = StateMachine(method: asked.method, patience: limits.newLink)
    }

    /// - Parameters:
    ///   - links: to try first, in this order.
    ///   - changeCount: of `streams`, before the visitor was let in.
    func start(on links: [RoutedLink], since changeCount: UInt64) {
        armTimer()
        watchAdmission()
        streams.add(self, on: exchange.eventLoop, since: changeCount) { [weak self] in self?.lookAtAdmission() }
        if exchange.request.isWebSocket {
            // Nothing is spliced before the answer, but a visitor that leaves takes the stream along.
            exchange.attach(Departure { [weak self] in self?.departed() })
        } else {
            splice(exchange, stream, idle: limits.streamIdle, halfClosedIdle: limits.streamIdle)
        }
        perform(machine.started(links: links.map(\.id), now: .now()), links)
    }

    // MARK: Tries

    /// One try on one link, which counts as one of its streams until `release`.
    // Safety: `isReleased` is touched on the visitor's loop only.
    private final class Attempt: @unchecked Sendable {
        let routed: RoutedLink
        private var isReleased = false

        init(on routed: RoutedLink) {
            self.routed = routed
            routed.streamOpened()
        }

        func release() {
            guard !isReleased else { return }
            isReleased = true
            routed.streamClosed()
        }
    }

    private func perform(_ action: StateMachine.Action, _ links: [RoutedLink]) {
        switch action {
        case .open(let id):
            guard let routed = links.first(where: { $0.id == id }) else { return }
            if machine.isRepetition { reportRepetition() }
            drop()
            let attempt = Attempt(on: routed)
            self.attempt = attempt
            open(attempt)
        case .wait:
            nextLook = exchange.eventLoop.assumeIsolated().scheduleTask(in: limits.linkLook) { [weak self] in
                self?.lookAgain()
            }
        case .giveUp(let outcome):
            logger.info("Connector gave no answer", metadata: metadata(["error": "\(lastError)"]))
            let host = exchange.request.host
            switch outcome {
            case .absent: giveUp(none)
            case .busy: giveUp(.connectorsBusy(host))
            case .failed: giveUp(.noAnswer(host, reason: lastError.message))
            case .uncertain: giveUp(.interrupted(host))
            }
        case .none:
            break
        }
    }

    private func lookAgain() {
        guard !exchange.isAnswered, !stream.isOver else { return }
        let links = links()
        perform(machine.waited(canRepeat: stream.canRepeat, links: links.map(\.id), now: .now()), links)
    }

    private func reportRepetition() {
        logger.info("Request sent again on another link", metadata: metadata(["cause": "\(lastError)"]))
    }

    /// On the link's loop.
    private func open(_ attempt: Attempt) {
        let routed = attempt.routed
        let eventLoop = routed.link.eventLoop
        guard eventLoop.inEventLoop else {
            eventLoop.execute { self.open(attempt) }
            return
        }
        // Looked at here, where a goodbye is answered: what is opened before that answer, the connector still takes.
        guard !routed.isRetired else {
            let error = LinkError(.noCapacity, "the connector is about to leave")
            onVisitorLoop { $0.failed(attempt, .gone, error) }
            return
        }
        let stream = routed.link.openStream(request) { result in
            self.onVisitorLoop { $0.answered(result, attempt) }
        }
        guard exchange.eventLoop !== eventLoop else {
            opened(stream, attempt)
            return
        }
        let handover = LoopBridge.Handover(stream)
        onVisitorLoop { $0.opened(LoopBridge(handover, to: $0.exchange.eventLoop), attempt) }
    }

    private func onVisitorLoop(_ work: @escaping @Sendable (OriginRelay) -> Void) {
        let eventLoop = exchange.eventLoop
        if eventLoop.inEventLoop {
            work(self)
        } else {
            eventLoop.execute { work(self) }
        }
    }

    private func failed(_ attempt: Attempt, _ failure: StateMachine.Failure, _ error: LinkError) {
        guard attempt === self.attempt, !exchange.isAnswered else { return }
        drop()
        let links = links()
        if failure != .busy { lastError = error }
        perform(
            machine.failed(failure, canRepeat: stream.canRepeat, links: links.map(\.id), now: .now()), links)
    }

    private func drop() {
        // Not under way any more when its stream says that it was aborted.
        let former = attempt
        attempt = nil
        stream.dropCarrier()
        former?.release()
    }

    // MARK: Carrying, on the visitor's loop

    private func opened(_ pipe: any BytePipe, _ attempt: Attempt) {
        guard attempt === self.attempt, !exchange.isAnswered else { return pipe.abort() }
        stream.carry(by: pipe)
    }

    private func splice(_ visitor: any BytePipe, _ stream: any BytePipe, idle: TimeAmount?, halfClosedIdle: TimeAmount)
    {
        let spliceLimits = Splice.Limits(idle: idle, idleHalfClosed: halfClosedIdle)
        Splice.join(visitor, stream, limits: spliceLimits) { [self] summary in
            over()
            if socket != nil || withdrawal != nil, !isEndRecorded {
                isEndRecorded = true
                recordEnd(bytesUp: summary.bytesLeftToRight, bytesDown: summary.bytesRightToLeft)
            }
            logger.debug(
                "Visitor served",
                metadata: metadata([
                    "bytesUp": "\(summary.bytesLeftToRight)", "bytesDown": "\(summary.bytesRightToLeft)",
                    "error": "\(summary.error.map { String(describing: $0) } ?? "none")",
                ]))
        }
    }

    /// - Parameter refusal: why a WebSocket never opened.
    private func recordEnd(bytesUp: Int = 0, bytesDown: Int = 0, refusal: String? = nil) {
        record.ended(
            admittance, exchange, bytesUp: bytesUp, bytesDown: bytesDown,
            seconds: Double((NIODeadline.now() - begin).nanoseconds) / 1e9, withdrawal: withdrawal, refusal: refusal)
    }

    private func answered(_ result: Result<StreamResponse, LinkError>, _ attempt: Attempt) {
        // The edge has answered meanwhile, or the visitor has gone, or another link carries the request.
        guard attempt === self.attempt, !exchange.isAnswered else { return }
        switch result {
        case .failure(let error):
            let linkLives = attempt.routed.link.channel.isActive
            failed(attempt, StateMachine.Failure(error.code, linkLives: linkLives), error)
        case .success(let response):
            machine.answerBegan()
            timer?.cancel()
            switch response.source {
            case .connector: giveUp(.originUnreachable(exchange.request.host))
            case .flowRateLimited: giveUp(.flowRateLimited(exchange.request.host))
            case .origin: forward(response)
            }
        }
    }

    private func forward(_ response: StreamResponse) {
        if exchange.request.isWebSocket, response.isUpgrade {
            upgrade(response)
            return
        }
        guard (200...599).contains(response.status),
            var headers = ForwardedHeaders.response(response.headers, ray: exchange.ray)
        else {
            giveUp(.badAnswer(exchange.request.host))
            return
        }
        if let cookie = admittance.cookie { headers.add(name: "set-cookie", value: cookie) }
        exchange.respond(status: response.status, headers: headers)
        stream.settle()
        guard exchange.request.isWebSocket else { return }
        neverOpened("the answer was \(response.status)")
        // Only now, since the first bytes of the body may come at once.
        splice(exchange, stream, idle: limits.streamIdle, halfClosedIdle: limits.streamIdle)
        exchange.declineUpgrade()
    }

    private func upgrade(_ response: StreamResponse) {
        guard var headers = ForwardedHeaders.upgrade(response.headers, ray: exchange.ray) else {
            giveUp(.badAnswer(exchange.request.host))
            return
        }
        if let cookie = admittance.cookie { headers.add(name: "set-cookie", value: cookie) }
        do {
            let socket = VisitorSocket(try exchange.upgrade(headers: headers), limits: limits)
            self.socket = socket
            stream.settle()
            // A desktop may be silent for hours; a dead visitor is noticed by its socket or its HTTP/2 connection.
            splice(socket, stream, idle: nil, halfClosedIdle: .minutes(5))
        } catch {
            departed()
        }
    }

    // MARK: Ends

    private func giveUp(_ page: EdgePage) {
        exchange.respond(with: page)
        neverOpened(page.message)
        departed()
    }

    /// The visitor, or the edge, no longer waits for the stream.
    private func departed() {
        neverOpened("the visitor left")
        stream.abort()
        over()
    }

    /// A WebSocket that was let in is on record, so its end is too, though there is nothing that could be spliced.
    private func neverOpened(_ reason: String) {
        guard exchange.request.isWebSocket, socket == nil, !isEndRecorded else { return }
        isEndRecorded = true
        recordEnd(refusal: reason)
    }

    private func over() {
        machine.ended()
        timer?.cancel()
        admissionTimer?.cancel()
        nextLook?.cancel()
        attempt?.release()
        streams.remove(self, on: exchange.eventLoop)
    }

    // MARK: Admission

    /// Looks again now and then, and when the login ends by itself. Changes of the policy are told at once.
    private func watchAdmission() {
        var next = limits.admissionCheck
        if let endsAt = admittance.endsAt {
            let left = max(0, min(endsAt.timeIntervalSinceNow, 3600))
            next = min(next, .nanoseconds(Int64(left * 1e9) + 1_000_000))
        }
        admissionTimer = exchange.eventLoop.assumeIsolated().scheduleTask(in: next) { [self] in
            lookAtAdmission()
            if machine.state != .over { watchAdmission() }
        }
    }

    /// Who lost the right to be here does not stay because the door was open once (access-protocol section 3.13, 13).
    private func lookAtAdmission() {
        guard machine.state != .over, withdrawal == nil,
            let reason = admittance.withdrawal(
                by: policies.snapshot, isPolicyLost: policies.isLost, now: Date())
        else { return }
        withdrawal = reason
        logger.info(
            "Session ended: access was withdrawn",
            metadata: metadata(["reason": "\(reason.rawValue)", "as": "\(admittance.name ?? "anyone")"]))
        if let socket {
            socket.close(code: Self.policyViolation, reason: "access ended: \(reason.rawValue)")
        } else if exchange.isAnswered {
            departed()
        } else {
            giveUp(.withdrawn(exchange.request.host))
        }
    }

    /// RFC 6455 section 7.4.1.
    private static let policyViolation: UInt16 = 1008

    // MARK: Patience

    /// Until the answer begins, looks now and then whether time is up, and whether the link may be dead.
    private func armTimer() {
        // An upload that moves is no reason to lose patience.
        let due = exchange.lastReceived + limits.responseHead
        timer = exchange.eventLoop.assumeIsolated().scheduleTask(deadline: min(due, .now() + limits.linkWatch)) {
            self.lookAtTime(due)
        }
    }

    private func lookAtTime(_ due: NIODeadline) {
        guard !exchange.isAnswered, machine.state != .over else { return }
        guard .now() < max(due, exchange.lastReceived + limits.responseHead) else {
            let seconds = limits.responseHead.nanoseconds / 1_000_000_000
            return giveUp(.timeout(exchange.request.host, seconds: seconds))
        }
        armTimer()
        lookAtLink()
    }

    private func lookAtLink() {
        guard let link = attempt?.routed.link else { return }
        guard link.isSilent else { return link.askIfQuiet() }
        let links = links().filter { !$0.isDoubtful }
        let action = machine.linkFellSilent(canRepeat: stream.canRepeat, links: links.map(\.id), now: .now())
        guard action != .none else { return }
        lastError = LinkError(.peerSilent, "the connector does not answer on its link")
        perform(action, links)
    }

    private func metadata(_ more: Logger.Metadata) -> Logger.Metadata {
        more.merging(["host": "\(exchange.request.host)", "ray": "\(exchange.ray)"]) { first, _ in first }
    }
}

extension OriginRelay.StateMachine.Failure {
    fileprivate init(_ code: LinkError.Code, linkLives: Bool) {
        self =
            switch code {
            case .noCapacity: linkLives ? .busy : .gone
            case .streamDeclined: .untouched
            case .streamCut: .cut
            default: .refused
            }
    }
}

/// Notices that a visitor has gone, while nobody reads from it.
private final class Departure: BytePipeSink {
    private let noticed: () -> Void

    init(_ noticed: @escaping () -> Void) {
        self.noticed = noticed
    }

    func pipeReceived(_ bytes: ByteBuffer) {}
    func pipeReadCompleted() {}
    func pipeFinished(trailers: HTTPHeaders?) {}
    func pipeWritabilityChanged() {}
    func pipeClosed(_ error: (any Error)?) { noticed() }
}
