import ByteStream
import EdgeTransport
import NIOCore
import NIOHTTP1
import TunnelWire

/// Drives the registration calls over the control stream of one link. On the link's event loop; lives with the session.
final class ControlStream: BytePipeSink {
    /// What the calls came to.
    enum Outcome {
        case registered(ConnectionDetails)
        case refused(SessionEnd.Refusal)
        case configurationAnswered(error: String?)
        case unregistered
        /// The stream or its protocol is broken; the link has to go.
        case failed(String)
    }

    private let stream: LinkStream
    private let events: ControlEvents
    private var machine = RegistrationClient.StateMachine()

    init(_ stream: LinkStream, events: ControlEvents) {
        self.stream = stream
        self.events = events
        stream.attach(self)
        stream.read()
    }

    func register(_ registration: RegisterConnection) {
        perform(machine.registerRequested(registration))
    }

    func offerConfiguration(_ json: ByteBuffer) {
        perform(machine.localConfigurationOffered(json))
    }

    /// The answer to the configuration did not come in time.
    func giveUpConfiguration() {
        perform(machine.callTimedOut(.localConfiguration))
    }

    func unregister() {
        perform(machine.unregisterRequested())
    }

    /// Ends the calls with the protocol's goodbye.
    func close() {
        perform(machine.closeRequested())
        stream.finish(trailers: nil)
    }

    private func perform(_ actions: [RegistrationClient.Action]) {
        for action in actions {
            switch action {
            case .send(let bytes):
                stream.write(bytes)
                stream.flush()
            case .registered(let details):
                events(.registered(details))
            case .refused(let error):
                events(.refused(.init(error)))
            case .registrationFailed(let failure):
                events(.refused(.init(reason: failure.description, retryable: !failure.isPermanent)))
            case .localConfigurationAnswered(let failure):
                events(.configurationAnswered(error: failure?.description))
            case .unregistered:
                events(.unregistered)
            case .closed(let reason, let failed):
                if failed { events(.failed(reason)) }
            }
        }
    }

    // MARK: BytePipeSink

    func pipeReceived(_ bytes: ByteBuffer) {
        perform(machine.received(bytes))
    }

    func pipeReadCompleted() {
        stream.read()
    }

    func pipeFinished(trailers: HTTPHeaders?) {
        perform(machine.inputEnded())
        events(.failed("the edge ended the control stream"))
    }

    func pipeWritabilityChanged() {}

    func pipeClosed(_ error: (any Error)?) {
        events(.failed(error.map { "the control stream broke: \($0)" } ?? "the edge closed the control stream"))
    }
}

extension SessionEnd.Refusal {
    init(_ error: ConnectionError) {
        self.init(
            reason: error.cause, retryable: error.shouldRetry,
            retryAfter: error.retryAfter > .zero ? error.retryAfter : nil)
    }
}
