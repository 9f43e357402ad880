import ByteStream
import EdgeTransport
import Logging
import NIOCore
import NIOHTTP1
import TunnelWire

/// One link that a connector has opened, from its first byte to its end: control stream, registration, drain.
///
/// Works on the link's event loop. `run()` ends when the link has.
actor ConnectorSession {
    nonisolated let unownedExecutor: UnownedSerialExecutor

    private let link: HTTP2Link
    private let registry: TunnelRegistry
    private let limits: EdgeLimits
    private let logger: Logger
    private let rejections: RejectionLog
    private let address: String
    /// Called once, when the connector is no stranger any more.
    private let registered: @Sendable () -> Void

    private var machine = RegistrationServer.StateMachine()
    private var control: LinkStream?
    private var admission: TunnelRegistry.Admission?
    private var timer: Scheduled<Void>?
    private var reason = "the connector closed the link"
    private var isOver = false
    /// The connector said goodbye, and has the time for that.
    private var isLeaving = false

    init(
        link: HTTP2Link, address: String, registry: TunnelRegistry, limits: EdgeLimits, logger: Logger,
        rejections: RejectionLog, registered: @escaping @Sendable () -> Void
    ) {
        self.link = link
        self.address = address
        self.registry = registry
        self.limits = limits
        self.logger = logger
        self.rejections = rejections
        self.registered = registered
        unownedExecutor = link.eventLoop.executor.asUnownedSerialExecutor()
    }

    /// Serves the link. Cancelling closes it.
    func run() async {
        let link = link
        await withTaskCancellationHandler {
            do {
                try await link.becomeReady()
                await serve()
            } catch {
                if let message = RejectionLog.tunnelMessage(for: error) {
                    rejections.report(message, address: address)
                }
                // Probes that only connect end here too; they are no reason to wake anybody.
                logger.debug("Link not made", metadata: ["ip": "\(address)", "error": "\(error)"])
            }
            link.close()
            let end = try? await link.ended.get()
            timer?.cancel()
            if let admission {
                if let end, !isOver { reason = end.description }
                await registry.ended(admission.link.id, reason: reason)
            }
        } onCancel: {
            link.close()
        }
    }

    private func serve() async {
        closeLink(after: limits.registration, because: "the connector did not register in time")
        let inputs = openControlStream()
        for await input in inputs {
            switch input {
            case .received(let bytes):
                await perform(machine.received(bytes))
                control?.read()
            case .ended:
                await perform(machine.inputEnded())
                isOver = true
            }
            if isOver { break }
        }
        if let admission, !machine.isRegistered { await drain(admission.link) }
    }

    private func openControlStream() -> AsyncStream<ControlInbox.Input> {
        // At most one delivery and the end are under way, because the next read follows the last delivery.
        let (inputs, continuation) = AsyncStream.makeStream(
            of: ControlInbox.Input.self, bufferingPolicy: .bufferingOldest(4))
        let request = StreamRequest(kind: .controlStream, authority: EdgeTLS.serverName)
        let stream = link.openStream(request) { result in
            if case .failure = result { continuation.yield(.ended) }
        }
        stream.attach(ControlInbox(continuation))
        stream.read()
        control = stream
        return inputs
    }

    // MARK: What the machine wants

    private func perform(_ actions: [RegistrationServer.Action]) async {
        for action in actions {
            switch action {
            case .send(let bytes):
                control?.write(bytes)
                control?.flush()
            case .registrationRequested(let request):
                await register(request)
            case .localConfigurationReceived(let json):
                if let admission {
                    await registry.configurationReceived(String(buffer: json), from: admission.link.id)
                }
            case .unregisterRequested:
                // Before the answer, which tells the connector that no more streams come.
                admission?.link.retire()
                if let admission { await registry.unregistered(admission.link.id) }
                reason = "the connector unregistered"
                isLeaving = true
                closeLink(after: limits.connectorDrain, because: "the connector did not leave in time")
                await perform(machine.unregisterAnswered())
            case .closed(let why, let failed):
                if failed { reason = why }
                isOver = true
                // Nobody can unregister this link any more: route nothing to it, and do not wait for ever.
                if let admission {
                    admission.link.retire()
                    // A stream that broke may be the first sign of a link that did: its connector makes a new one.
                    if failed, !isLeaving {
                        await registry.ended(admission.link.id, reason: why)
                    } else {
                        await registry.unregistered(admission.link.id)
                    }
                    if !isLeaving { closeLink(after: limits.drain, because: why) }
                }
            }
        }
    }

    private func register(_ request: RegisterConnection) async {
        switch await registry.register(request, on: link, from: address) {
        case .success(let admission):
            self.admission = admission
            timer?.cancel()
            registered()
            await perform(machine.registrationAnswered(.connectionDetails(admission.details)))
            await registry.activate(admission)
        case .failure(let error):
            // The connector waits for us to close, but is to read why first.
            closeLink(after: limits.refusalDelay, because: "the registration was refused")
            await perform(machine.registrationAnswered(.error(error)))
        }
    }

    // MARK: The end

    /// Lets running streams end, within the time the timer leaves.
    private func drain(_ routed: RoutedLink) async {
        while routed.openStreams > 0, link.channel.isActive, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func closeLink(after delay: TimeAmount, because reason: String) {
        timer?.cancel()
        let link = link
        let logger = logger
        timer = link.eventLoop.scheduleTask(in: delay) {
            logger.debug("Link closed", metadata: ["reason": "\(reason)"])
            link.close()
        }
    }
}

/// Passes what comes in on a control stream on to its session, one delivery at a time.
private final class ControlInbox: BytePipeSink {
    enum Input: Sendable {
        case received(ByteBuffer)
        case ended
    }

    private let continuation: AsyncStream<Input>.Continuation
    private var gathered = ByteBuffer()

    init(_ continuation: AsyncStream<Input>.Continuation) {
        self.continuation = continuation
    }

    func pipeReceived(_ bytes: ByteBuffer) {
        gathered.writeImmutableBuffer(bytes)
    }

    func pipeReadCompleted() {
        continuation.yield(.received(gathered))
        gathered = ByteBuffer()
    }

    func pipeFinished(trailers: HTTPHeaders?) {
        continuation.yield(.ended)
    }

    func pipeWritabilityChanged() {}

    func pipeClosed(_ error: (any Error)?) {
        continuation.yield(.ended)
        continuation.finish()
    }
}
