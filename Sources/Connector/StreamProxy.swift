package import Access
package import ByteStream
import EdgeTransport
package import Logging
package import NIOCore
import NIOHTTP1
import OriginTransport
package import ServiceHost
package import TunnelConfig
import TunnelWire

/// Serves the streams that the edge opens: the data path of the connector, in the order the data flows.
///
/// Keeps nothing of a stream. Everything happens on the stream's event loop, with callbacks: no byte of a body passes
/// through a task or an actor. One value serves all links of the process.
package struct StreamProxy: Sendable {
    /// Bounds and additions, from the configuration.
    package struct Settings: Sendable {
        /// Streams served at once over all links.
        package var maximumStreams = 10_000
        /// Where TCP streams (private network routing) may go. Nil refuses them all: that routing is not in this version,
        /// and an edge must not reach into the network by itself.
        package var privateNetwork: DestinationAllowList?
        /// A desktop or shell may be silent for as long as it lives: the link's PING notices a dead edge, and the edge a
        /// dead visitor.
        package var streamLimits = Splice.Limits(idle: nil)
        /// The same for requests. A request without body has ended its direction at once, so a slow answer or an event
        /// stream must not be taken for a peer that went away.
        package var requestLimits = Splice.Limits(idle: .hours(1), idleHalfClosed: nil)
        /// Dead links are noticed by the link's own PING and dead visitors by the edge, so a missing pong ends nothing: a
        /// client that does not read for a while does not answer either. The pings keep what lies between awake.
        package var webSocketLimits = {
            var limits = WebSocketPipe.Limits()
            limits.pingsUnanswered = .max
            return limits
        }()
        /// How long a SOCKS client may take to name its destination.
        package var socksPatience = TimeAmount.seconds(15)

        package init() {}
    }

    let settings: Settings
    let metrics: ConnectorMetrics
    let logger: Logger
    let assertions: AssertionVerifier?
    let asides: Asides?
    private let routes: @Sendable () -> RoutingTable
    private let tags: @Sendable () -> [(name: String, value: String)]
    private let origins = HTTPOrigins()
    let dialer = OriginDialer()
    private let start = ContinuousClock.now

    /// - Parameters:
    ///   - routes: the rules as they are now; called once per stream, so it must not wait.
    ///   - tags: request headers `Cf-Warp-Tag-<name>` as they are now; the same goes for it.
    ///   - assertions: checks what rules with `access.required` ask for; nil: they let nobody in.
    ///   - asides: where that is waited for; whoever owns it runs it.
    package init(
        routes: @escaping @Sendable () -> RoutingTable,
        tags: @escaping @Sendable () -> [(name: String, value: String)] = { [] }, settings: Settings,
        assertions: AssertionVerifier? = nil, asides: Asides? = nil, metrics: ConnectorMetrics, logger: Logger
    ) {
        self.assertions = assertions
        self.asides = asides
        self.routes = routes
        self.tags = tags
        self.settings = settings
        self.metrics = metrics
        self.logger = logger
    }

    /// Closes idle connections to origins, and those that become idle from now on.
    package func close() {
        origins.close()
    }

    /// Serves a stream to its end. On its event loop, once, before anything was read from it.
    func serve(_ stream: LinkStream, in ledger: StreamLedger) {
        let visit = Visit(stream, proxy: self, connIndex: ledger.connIndex)
        metrics.totalRequests.increment()
        guard metrics.concurrentRequests.value < settings.maximumStreams else {
            return visit.refuseBusy()
        }
        metrics.concurrentRequests.increment()
        ledger.add(stream) { [metrics] in metrics.concurrentRequests.decrement() }

        // 1. Match the rule.
        let request = stream.request
        if request.kind == .tcp { return servePrivateNetwork(visit) }
        let match = routes().match(host: request.authority, path: request.decodedPath)
        visit.matched(match)

        // 2. Check the policy.
        checkAccess(visit, match.rule) { serve(visit, match.rule) }
    }

    /// 3. to 5. Dial, answer the head, splice.
    private func serve(_ visit: Visit, _ rule: IngressRule) {
        switch rule.service {
        case .http, .unix: serveHTTP(visit, rule)
        case .tcp, .bastion: serveStream(visit, rule)
        case .httpStatus(let status): visit.answer(status: status)
        case .helloWorld: serveHelloWorld(visit)
        case .socksProxy: serveSOCKS(visit, rule)
        }
    }

    // MARK: HTTP and WebSocket to an HTTP origin

    private func serveHTTP(_ visit: Visit, _ rule: IngressRule) {
        let stream = visit.stream
        guard let target = OriginTarget(rule.service) else { return visit.fail(.noTarget) }
        var headers = stream.request.headers
        for tag in tags() { headers.replaceOrAdd(name: "Cf-Warp-Tag-\(tag.name)", value: tag.value) }
        let isUpgrade = stream.request.kind == .webSocket
        let request = HTTPRequest(
            method: stream.request.method, path: stream.request.path, authority: stream.request.authority,
            headers: headers, hasBody: stream.request.hasBody, isUpgrade: isUpgrade)
        var exchange: OriginExchange?
        do {
            exchange = try origins.send(request, to: target, options: rule.originRequest, on: stream.eventLoop) {
                result in
                switch result {
                case .success(.response(let answer)):
                    visit.respond(StreamResponse(status: answer.status, headers: answer.headers))
                    // A refused upgrade is an ordinary answer; until now there was nothing to carry.
                    if isUpgrade, let exchange {
                        visit.join(exchange, limits: settings.requestLimits)
                        stream.dismissInput()
                    }
                case .success(.upgraded(let answer, let pipe)):
                    visit.respond(StreamResponse(status: answer.status, headers: answer.headers))
                    visit.join(pipe, limits: settings.streamLimits)
                case .failure(let error):
                    visit.refuse(error)
                }
                exchange = nil
            }
        } catch {
            return visit.fail(error)
        }
        guard let exchange else { return }
        exchange.answeredEarly = { stream.dismissInput() }
        if isUpgrade {
            visit.whenLeft { exchange.abort() }
        } else {
            visit.join(exchange, limits: settings.requestLimits)
        }
    }

    // MARK: Bytes over WebSocket to a stream service

    private func serveStream(_ visit: Visit, _ rule: IngressRule) {
        let stream = visit.stream
        guard stream.request.kind == .webSocket else {
            return visit.fail(.notForBrowsers(rule.service, stream.request))
        }
        let options = rule.originRequest
        let destination = stream.request.headers.first(name: "cf-access-jump-destination")
        let dial =
            if let target = OriginTarget(rule.service) {
                dialer.openPipe(to: target, options: options, on: stream.eventLoop)
            } else {
                dialer.openPipe(
                    toDestination: destination, options: options, on: stream.eventLoop)
            }
        connect(visit, dial) { pipe in
            if rule.service == .bastion { visit.logDestination(destination) }
            let messages = accept(visit)
            if options.proxyType == "socks" {
                joinSOCKS(visit, messages, pipe)
            } else {
                visit.join(messages, pipe, limits: settings.streamLimits)
            }
        }
    }

    /// Answers the upgrade of a stream service; the bytes are in the messages from then on.
    func accept(_ visit: Visit) -> WebSocketPipe {
        var headers = HTTPHeaders()
        if let key = visit.stream.request.headers.first(name: "sec-websocket-key") {
            headers = [
                "Connection": "Upgrade", "Upgrade": "websocket",
                "Sec-Websocket-Accept": WebSocketHandshake.accept(forKey: key),
            ]
        }
        visit.respond(StreamResponse(status: 101, headers: headers))
        return WebSocketPipe(visit.stream, role: .server, limits: settings.webSocketLimits)
    }

    // MARK: Bytes to an address

    private func servePrivateNetwork(_ visit: Visit) {
        let stream = visit.stream
        guard let list = settings.privateNetwork else {
            return visit.refuse(
                OriginError(
                    .unsupported,
                    "private network routing is not in this version; use a hostname with tcp:// or bastion"))
        }
        // Names are not for this kind of stream (tunnel-protocol section 2.8).
        guard let address = try? JumpDestination.parse(stream.request.authority), IPAddress(address.host) != nil else {
            return visit.refuse(OriginError(.destinationInvalid, "the destination of a TCP stream must be IP:port"))
        }
        var options = OriginRequest()
        options.connectTimeout = .seconds(5)
        options.bastionAllow = list
        connect(visit, dialer.openPipe(toDestination: "\(address)", options: options, on: stream.eventLoop)) { pipe in
            visit.respond(StreamResponse(status: 200))
            visit.join(pipe, limits: settings.streamLimits)
        }
    }

    private func connect(_ visit: Visit, _ dial: EventLoopFuture<ChannelPipe>, then: @escaping (ChannelPipe) -> Void) {
        connect(visit, dial, failed: { visit.fail($0) }, then: then)
    }

    /// Waits for a dial of a stream service, unless the visitor leaves first.
    func connect(
        _ visit: Visit, _ dial: EventLoopFuture<ChannelPipe>, failed: @escaping (OriginError) -> Void,
        then: @escaping (ChannelPipe) -> Void
    ) {
        let began = ContinuousClock.now
        dial.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let pipe):
                metrics.connectLatency.observe((ContinuousClock.now - began) / .milliseconds(1))
                guard !visit.isLeft else { return pipe.abort() }
                metrics.tcpTotalSessions.increment()
                metrics.tcpActiveSessions.increment()
                pipe.channel.closeFuture.whenComplete { _ in metrics.tcpActiveSessions.decrement() }
                then(pipe)
            case .failure(let error):
                metrics.connectErrors.increment()
                failed(
                    error as? OriginError ?? OriginError(.unreachable, "no connection to the origin", cause: error))
            }
        }
    }

    // MARK: Built in

    private func serveHelloWorld(_ visit: Visit) {
        let request = visit.stream.request
        let page = BuiltInOrigin.helloWorld(
            method: request.method, path: request.path, uptime: ContinuousClock.now - start)
        visit.answer(status: page.status, headers: page.headers, body: page.body)
    }
}
