import ByteStream
import EdgeTransport
import Logging
import NIOCore
import NIOHTTP1
import TunnelWire

/// Carries one admitted request to a connector and the answer back, in this order: open a stream, splice the bodies,
/// answer the head. A WebSocket is spliced once it is accepted.
///
/// Lives until both ends are over. Works on the visitor's loop; the stream may live on another one.
// Safety: all state is touched on the visitor's loop; `open` and what it calls on a link's loop use constants only.
final class OriginRelay: @unchecked Sendable {
    private let exchange: VisitorExchange
    private let links: [RoutedLink]
    private let limits: EdgeLimits
    private let logger: Logger
    private let stillAdmitted: @Sendable () -> Bool

    private var pipe: (any BytePipe)?
    private var occupied: RoutedLink?
    private var timer: Scheduled<Void>?
    private var isGivenUp = false

    /// - Parameters:
    ///   - links: to try, in this order.
    ///   - stillAdmitted: whether the visitor would still be let in; asked again and again while the stream lives.
    init(
        exchange: VisitorExchange, links: [RoutedLink], limits: EdgeLimits, logger: Logger,
        stillAdmitted: @escaping @Sendable () -> Bool
    ) {
        self.exchange = exchange
        self.links = links
        self.limits = limits
        self.logger = logger
        self.stillAdmitted = stillAdmitted
    }

    func start() {
        let request = exchange.request
        let headers = ForwardedHeaders.request(request, visitor: exchange.connection.visitor, ray: exchange.ray)
        let outgoing = StreamRequest(
            kind: request.isWebSocket ? .webSocket : .http, method: request.method, path: request.path,
            authority: request.authority, headers: headers, hasBody: request.isWebSocket || exchange.hasBody)
        armTimer(limits.responseHead)
        open(outgoing, index: 0)
    }

    // MARK: Opening, on the link's loop

    private func open(_ request: StreamRequest, index: Int) {
        guard index < links.count else {
            onVisitorLoop { $0.giveUp(.connectorsBusy($0.exchange.request.host)) }
            return
        }
        let link = links[index]
        let eventLoop = link.link.eventLoop
        guard eventLoop.inEventLoop else {
            eventLoop.execute { self.open(request, index: index) }
            return
        }
        guard link.link.hasCapacity else {
            open(request, index: index + 1)
            return
        }
        link.streamOpened()
        let stream = link.link.openStream(request) { result in
            self.onVisitorLoop { $0.answered(result) }
        }
        guard exchange.eventLoop !== eventLoop else {
            opened(stream, on: link)
            return
        }
        let handover = LoopBridge.Handover(stream)
        onVisitorLoop { $0.opened(LoopBridge(handover, to: $0.exchange.eventLoop), on: link) }
    }

    private func onVisitorLoop(_ work: @escaping @Sendable (OriginRelay) -> Void) {
        let eventLoop = exchange.eventLoop
        if eventLoop.inEventLoop {
            work(self)
        } else {
            eventLoop.execute { work(self) }
        }
    }

    // MARK: Carrying, on the visitor's loop

    private func opened(_ pipe: any BytePipe, on link: RoutedLink) {
        self.pipe = pipe
        occupied = link
        if exchange.request.isWebSocket {
            // Nothing is spliced before the answer, but a visitor that leaves takes the stream along.
            exchange.attach(Departure { [weak self] in self?.departed() })
        } else {
            splice(exchange, pipe, idle: limits.streamIdle, halfClosedIdle: limits.streamIdle)
        }
        if isGivenUp { pipe.abort() }
    }

    private func splice(_ visitor: any BytePipe, _ stream: any BytePipe, idle: TimeAmount?, halfClosedIdle: TimeAmount)
    {
        let spliceLimits = Splice.Limits(idle: idle, idleHalfClosed: halfClosedIdle)
        Splice.join(visitor, stream, limits: spliceLimits) { [self] summary in
            timer?.cancel()
            release()
            logger.debug(
                "Visitor served",
                metadata: [
                    "host": "\(exchange.request.host)", "ray": "\(exchange.ray)",
                    "bytesUp": "\(summary.bytesLeftToRight)", "bytesDown": "\(summary.bytesRightToLeft)",
                    "error": "\(summary.error.map { String(describing: $0) } ?? "none")",
                ])
        }
    }

    private func answered(_ result: Result<StreamResponse, LinkError>) {
        timer?.cancel()
        let host = exchange.request.host
        guard !exchange.isAnswered else {
            // The edge has answered meanwhile, or the visitor has gone.
            return
        }
        switch result {
        case .failure(let error):
            logger.info(
                "Connector gave no answer",
                metadata: ["host": "\(host)", "ray": "\(exchange.ray)", "error": "\(error)"])
            giveUp(.noAnswer(host, reason: error.message))
        case .success(let response):
            switch response.source {
            case .connector: giveUp(.originUnreachable(host))
            case .flowRateLimited: giveUp(.flowRateLimited(host))
            case .origin:
                watchAdmission()
                forward(response)
            }
        }
    }

    private func forward(_ response: StreamResponse) {
        if exchange.request.isWebSocket, response.isUpgrade {
            upgrade(response)
            return
        }
        guard (200...599).contains(response.status),
            let headers = ForwardedHeaders.response(response.headers, ray: exchange.ray)
        else {
            giveUp(.badAnswer(exchange.request.host))
            return
        }
        exchange.respond(status: response.status, headers: headers)
        guard exchange.request.isWebSocket, let pipe else { return }
        // Only now, since the first bytes of the body may come at once.
        splice(exchange, pipe, idle: limits.streamIdle, halfClosedIdle: limits.streamIdle)
        exchange.declineUpgrade()
    }

    private func upgrade(_ response: StreamResponse) {
        guard let stream = pipe else { return }
        guard let headers = ForwardedHeaders.upgrade(response.headers, ray: exchange.ray) else {
            giveUp(.badAnswer(exchange.request.host))
            return
        }
        do {
            let visitor = try exchange.upgrade(headers: headers)
            // A desktop may be silent for hours; a dead visitor is noticed by its socket or its HTTP/2 connection.
            splice(visitor, stream, idle: nil, halfClosedIdle: .minutes(5))
        } catch {
            departed()
        }
    }

    // MARK: Ends

    private func giveUp(_ page: EdgePage) {
        timer?.cancel()
        isGivenUp = true
        exchange.respond(with: page)
        departed()
    }

    /// The visitor, or the edge, no longer waits for the stream.
    private func departed() {
        timer?.cancel()
        isGivenUp = true
        pipe?.abort()
        release()
    }

    /// Who lost the right to be here does not stay because the door was open once (access-protocol section 3.13, 13).
    private func watchAdmission() {
        timer = exchange.eventLoop.assumeIsolated().scheduleTask(in: limits.admissionCheck) { [self] in
            guard occupied != nil || pipe == nil else { return }
            guard stillAdmitted() else {
                logger.info(
                    "Session ended: access was withdrawn",
                    metadata: ["host": "\(exchange.request.host)", "ray": "\(exchange.ray)"])
                departed()
                return
            }
            watchAdmission()
        }
    }

    private func release() {
        occupied?.streamClosed()
        occupied = nil
    }

    private func armTimer(_ delay: TimeAmount) {
        timer = exchange.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.timeIsUp() }
    }

    private func timeIsUp() {
        guard !exchange.isAnswered else { return }
        // An upload that moves is no reason to lose patience.
        let due = exchange.lastReceived + limits.responseHead
        guard due <= .now() || exchange.requestOver else {
            armTimer(due - .now())
            return
        }
        giveUp(.timeout(exchange.request.host, seconds: limits.responseHead.nanoseconds / 1_000_000_000))
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
