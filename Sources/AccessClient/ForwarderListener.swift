import ByteStream
import Logging
import NIOCore
import Synchronization

/// The local side of a forwarder: one listening address, and what serves its connections at the time.
///
/// Lives for one `run`, which owns the connections. A listener that fails is bound again; connections that are open live
/// on whatever becomes of it.
final class ForwarderListener: Sendable {
    /// How the listener is, told when it changes.
    enum Condition: Sendable {
        case listening(SocketAddress)
        case failed(AccessError)
    }

    private struct State {
        var serving: PreparedForwarder
        var channel: (any Channel)?
        var isRetired = false
    }

    /// How many have connected.
    private struct Tally {
        var open = 0
        var total = 0
    }

    /// Waits before it is bound again: they double from the first to the last, and begin anew once somebody has connected.
    private static let pauses: (first: Duration, last: Duration) = (.milliseconds(500), .seconds(30))

    private let state: Mutex<State>
    private let clock: any Clock<Duration>

    init(_ serving: PreparedForwarder, clock: any Clock<Duration> = ContinuousClock()) {
        state = Mutex(State(serving: serving))
        self.clock = clock
    }

    /// New connections are served by another configuration; the address must be the same.
    func replace(by serving: PreparedForwarder) {
        state.withLock { $0.serving = serving }
    }

    /// No more connections; `run` returns when those that are open have ended.
    func retire() {
        let channel = state.withLock { state in
            state.isRetired = true
            return state.channel
        }
        channel?.close(promise: nil)
    }

    private var isRetired: Bool { state.withLock { $0.isRetired } }
    private var serving: PreparedForwarder { state.withLock { $0.serving } }
    private var logger: Logger { serving.forwarder.logger }

    /// Listens until retired or cancelled, and returns when the last connection is over.
    ///
    /// - Parameter mustListen: whether an address that cannot be had at the start is an error instead of something to try
    ///   again.
    /// - Throws: `AccessError` (listen) in that case.
    func run(mustListen: Bool = false, report: @Sendable (Condition) -> Void) async throws {
        let refusal = await withTaskGroup(of: Void.self) { connections in
            let refusal = await listen(mustListen, report, &connections)
            await connections.waitForAll()
            return refusal
        }
        if let refusal { throw refusal }
    }

    /// Returns why it could not begin.
    private func listen(
        _ mustListen: Bool, _ report: @Sendable (Condition) -> Void, _ connections: inout TaskGroup<Void>
    ) async -> AccessError? {
        var tally = Tally()
        var pause = Self.pauses.first
        var trouble: String?
        var mustListen = mustListen
        while !Task.isCancelled, !isRetired {
            let before = tally.total
            do {
                let listener = try await serving.forwarder.bind()
                mustListen = false
                if adopt(listener.channel) { announce(listener.channel, isBack: trouble != nil, report) }
                trouble = nil
                try await accept(listener, &tally, &connections)
                throw AccessError(.listen, "the listener ended by itself")
            } catch {
                let failure =
                    error as? AccessError ?? AccessError(.listen, "the listener ended by itself", cause: error)
                if mustListen { return failure }
                // Said once, however often it is tried.
                if !Task.isCancelled, !isRetired, trouble != "\(failure)" {
                    trouble = "\(failure)"
                    logger.error("Forwarder does not listen and tries again", metadata: ["error": "\(failure)"])
                    report(.failed(failure))
                }
            }
            guard !Task.isCancelled, !isRetired else { break }
            if tally.total > before { pause = Self.pauses.first }
            try? await clock.sleep(for: pause)
            pause = min(pause * 2, Self.pauses.last)
        }
        return nil
    }

    /// Whether it is still wanted; else it closes at once.
    private func adopt(_ channel: any Channel) -> Bool {
        let isWanted = state.withLock { state in
            state.channel = channel
            return !state.isRetired
        }
        if !isWanted { channel.close(promise: nil) }
        return isWanted
    }

    private func announce(_ channel: any Channel, isBack: Bool, _ report: @Sendable (Condition) -> Void) {
        guard let address = channel.localAddress else { return }
        let forwarder = serving.forwarder
        logger.info(
            isBack ? "Start Websocket listener again" : "Start Websocket listener",
            metadata: ["host": "\(Forwarder.text(of: address))"])
        if !isBack, !forwarder.isPrivate {
            logger.warning(
                "Other machines can reach this listener and use your access: listen on localhost unless that is meant",
                metadata: ["host": "\(forwarder.listenerName)"])
        }
        report(.listening(address))
    }

    /// Accepts until the listener ends. Errors that pass, such as too few file descriptors, are NIO's to wait out: it
    /// accepts again after a second.
    ///
    /// - Throws: why it ended, if that is known.
    private func accept(
        _ listener: Forwarder.Listener, _ tally: inout Tally, _ connections: inout TaskGroup<Void>
    ) async throws {
        let most = serving.forwarder.configuration.maximumConnections
        try await listener.executeThenClose { accepted in
            for try await local in accepted {
                // At the limit the next one waits for an end, and those behind it in the kernel's queue.
                if tally.open >= most {
                    await connections.next()
                    tally.open -= 1
                }
                tally.open += 1
                tally.total += 1
                let serving = serving
                connections.addTask { await serving.serve(local) }
            }
        }
    }
}
