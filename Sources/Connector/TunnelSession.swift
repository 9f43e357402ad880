import ByteStream
import EdgeTransport
import FoundationEssentials
import Logging
package import NIOCore
import NIOHTTP1
import NIOSSL
import ServiceHost
import TunnelWire

/// One link to one edge from dial to end, with its registration.
///
/// An actor whose executor is the link's event loop: streams and control bytes enter it without a hop. Lives for one
/// `run`; the slot makes a new one for the next attempt.
package actor TunnelSession {
    package nonisolated let eventLoop: any EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    private let plan: SessionPlan
    private let proxy: StreamProxy
    private let report: @Sendable (ConnectionEvent) -> Void
    private let logger: Logger
    private let ending: EventLoopPromise<SessionEnd>
    private let streams: StreamLedger
    private var machine = StateMachine()
    private var link: HTTP2Link?
    private var control: ControlStream?
    private var deadlines: [StateMachine.Deadline: Scheduled<Void>] = [:]
    private var dialBegan = NIODeadline.now()
    /// The way to the edge, as the kernel saw it last.
    private var path: NetworkPath?

    /// - Parameters:
    ///   - plan: what to register, and the deadlines.
    ///   - report: told when the connection registers, says goodbye, and is lost.
    init(
        plan: SessionPlan, proxy: StreamProxy, on eventLoop: any EventLoop, logger: Logger,
        report: @escaping @Sendable (ConnectionEvent) -> Void
    ) {
        self.plan = plan
        self.proxy = proxy
        self.eventLoop = eventLoop
        self.logger = logger
        self.report = report
        ending = eventLoop.makePromise()
        streams = StreamLedger(on: eventLoop, connIndex: plan.index)
    }

    /// Dials, registers and serves until the link is over. Cancelling ends it at once; `drain` ends it gracefully.
    ///
    /// - Throws: `LinkError` when no link came about.
    func run(_ edge: EdgeEndpoint) async throws -> SessionEnd {
        dialBegan = .now()
        let link: HTTP2Link
        do {
            link = try await HTTP2Link.dial(
                edge, tls: plan.tls, on: eventLoop, configuration: plan.link,
                arrived: { [weak self] stream in
                    guard let self else { return stream.refuse() }
                    self.assumeIsolated { $0.streamArrived(stream) }
                })
        } catch {
            // Nobody waits for the end of a link that never was, but a promise must not be left open.
            ending.fail(error)
            throw error
        }
        guard machine.state != .over else {
            link.close()
            return .drained
        }
        self.link = link
        path = link.channel.remoteAddress.flatMap { NetworkPath.to($0) }
        link.ended.whenSuccess { [weak self] error in
            self?.assumeIsolated { $0.linkEnded(error) }
        }
        perform(machine.started())
        // The control stream may have come before the dial returned.
        if control != nil { perform(machine.controlStreamOpened()) }
        return try await withTaskCancellationHandler {
            try await ending.futureResult.get()
        } onCancel: {
            eventLoop.execute { self.assumeIsolated { $0.perform($0.machine.cancelled()) } }
        }
    }

    /// Says goodbye to the edge, lets open streams end within the grace period, then closes the link.
    func drain() {
        perform(machine.drainRequested())
    }

    /// The host's network changed: the link has to show that it still works, and soon when the way to the edge is another
    /// one now.
    ///
    /// - Parameter slept: whether host or process stood still; whatever lies on the way may have forgotten the link.
    /// - Returns: whether a dial is under way that began on the network that was, and had better start over.
    func networkChanged(slept: Bool) -> Bool {
        guard let link else { return .now() - dialBegan > Self.staleDial }
        let now = link.channel.remoteAddress.flatMap { NetworkPath.to($0) }
        link.networkChanged(isSuspect: slept || now != path)
        path = now
        return false
    }

    /// Another configuration is in force: the edge is told, if this connection tells it.
    func configurationChanged() {
        perform(machine.configurationChanged())
    }

    /// A dial younger than this began on the network that is; changes come in flocks.
    private static let staleDial = TimeAmount.seconds(1)

    /// Whether there is no link yet: a drain then has nothing to wait for.
    var isDialing: Bool { link == nil }

    // MARK: Events, all on the event loop

    private func streamArrived(_ stream: LinkStream) {
        switch stream.request.kind {
        case .controlStream:
            guard control == nil else { return stream.refuse(status: 400) }
            stream.respond(StreamResponse(status: 200, headers: ["content-type": "application/octet-stream"]))
            control = ControlStream(stream, events: ControlEvents(session: self))
            if link != nil { perform(machine.controlStreamOpened()) }
        case .updateConfiguration:
            // Remotely managed configuration is not in this version; the edge reads the refusal and keeps its own.
            stream.refuse()
        case .http, .webSocket, .tcp:
            // Another link or connector may take it; a refusal would be the visitor's answer.
            guard machine.takesStreams else { return stream.decline() }
            proxy.serve(stream, in: streams)
        }
    }

    private func linkEnded(_ error: LinkError) {
        perform(machine.linkEnded(error.description, elsewhere: error.recovery == .retryElsewhere))
    }

    fileprivate func controlAction(_ action: ControlStream.Outcome) {
        switch action {
        case .registered(let details):
            perform(machine.registered(details, pushesConfiguration: plan.localConfiguration != nil))
        case .refused(let refusal):
            perform(machine.refused(refusal))
        case .unregistered:
            perform(machine.unregistered())
        case .configurationAnswered(let error):
            if let error {
                logger.warning("Unable to send local configuration to the edge", metadata: ["error": "\(error)"])
            }
            report(.configurationPushed(index: plan.index, failed: error != nil))
            perform(machine.configurationAnswered())
        case .failed(let reason):
            perform(machine.controlStreamFailed(reason))
        }
    }

    // MARK: Actions

    private func perform(_ actions: [StateMachine.Action]) {
        for action in actions {
            switch action {
            case .register:
                logger.debug("Registering tunnel connection", metadata: ["protocol": "http2"])
                control?.register(plan.registration(localAddress: link?.channel.localAddress))
            case .armDeadline(let kind):
                arm(kind)
            case .cancelDeadline(let kind):
                deadlines.removeValue(forKey: kind)?.cancel()
            case .cancelDeadlines:
                for deadline in deadlines.values { deadline.cancel() }
                deadlines = [:]
            case .reportConnected(let details):
                connected(details)
            case .reportRegistrationFailed(let isDuplicate):
                report(.registrationFailed(index: plan.index, isDuplicate: isDuplicate))
            case .sendLocalConfiguration:
                if let json = plan.localConfiguration?() {
                    control?.offerConfiguration(json)
                } else {
                    perform(machine.configurationAnswered())
                }
            case .giveUpLocalConfiguration:
                control?.giveUpConfiguration()
            case .reportUnregistering:
                report(.unregistering(index: plan.index))
            case .unregister:
                control?.unregister()
            case .drainStreams:
                logger.info("Unregistered tunnel connection")
                control?.close()
                streams.whenIdle { [weak self] in
                    self?.assumeIsolated { $0.perform($0.machine.streamsDrained()) }
                }
            case .closeLink:
                streams.abortAll()
                link?.close()
            case .end(let end):
                ending.succeed(end)
            }
        }
    }

    private func connected(_ details: ConnectionDetails) {
        let address = link?.channel.remoteAddress.map { $0.ipAddress ?? "\($0)" } ?? ""
        logger.info(
            "Registered tunnel connection",
            metadata: [
                "connection": "\(details.uuid.uuidString.lowercased())", "location": "\(details.locationName)",
                "protocol": "http2",
            ])
        report(.connected(index: plan.index, location: details.locationName, address: address))
    }

    private func arm(_ kind: StateMachine.Deadline) {
        let limit: TimeAmount =
            switch kind {
            case .controlStream: plan.controlStreamTimeout
            case .registration, .configuration: plan.rpcTimeout
            case .goodbye: min(plan.rpcTimeout, plan.gracePeriod)
            case .grace: plan.gracePeriod
            }
        deadlines[kind]?.cancel()
        deadlines[kind] = eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
            self?.assumeIsolated { $0.perform($0.machine.deadlinePassed(kind)) }
        }
    }
}

/// Where a control stream reports to.
struct ControlEvents {
    weak var session: TunnelSession?

    func callAsFunction(_ outcome: ControlStream.Outcome) {
        session?.assumeIsolated { $0.controlAction(outcome) }
    }
}
