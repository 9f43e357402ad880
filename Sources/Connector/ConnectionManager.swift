import EdgeTransport
import Foundation
import Logging
import NIOCore
import NIOSSL
import ServiceHost
import TunnelConfig
import TunnelWire

/// Keeps the wanted number of connections to the edge alive, each in a slot of its own, until drained.
///
/// Slot 0 starts alone; the others follow once it has registered, so that a wrong credential is told once and not four
/// times. Lives for one `run`.
actor ConnectionManager {
    typealias Connect = @Sendable (ConnectionAttempt) async throws -> SessionEnd
    /// Finds the addresses of the edge. `isRepeated`: the lookup before failed too.
    typealias Discover = @Sendable (_ isRepeated: Bool) async throws -> EdgeAddresses
    typealias WatchHost = @Sendable (@escaping @Sendable (HostChange) -> Void) async -> Void

    /// How long the others wait for slot 0, whose edge may be the one that is gone.
    static let firstSlotDeadline = Duration.seconds(15)
    /// Between the starts of the others.
    static let startInterval = Duration.milliseconds(200)

    let haConnections: Int
    private let backoff: Backoff
    let discover: Discover
    private let connect: Connect
    private let watchHost: WatchHost
    let clock: any Clock<Duration>
    let logger: Logger
    let report: @Sendable (ConnectionEvent) -> Void
    private let firstRegistered = Gate()
    let draining = Gate()
    let news = AttemptNews()
    /// There is reason to try again sooner.
    let wake = Pulse()
    var pool = EdgeAddressPool()
    /// How the lookups of the edge's addresses went; see the extension for addresses.
    var lookups = AddressLookups()
    /// Somebody wants a lookup.
    let lookupWanted = Pulse()
    /// A lookup is over, or another set of addresses is in use.
    let addressesChanged = Pulse()
    let began: Stopwatch

    init(
        configuration: ConnectorConfiguration, tls: NIOSSLContext, proxy: StreamProxy, group: any EventLoopGroup,
        clock: any Clock<Duration>, logger: Logger, report: @escaping @Sendable (ConnectionEvent) -> Void
    ) {
        let connector = EdgeConnector(
            configuration: configuration, tls: tls, proxy: proxy, group: group, logger: logger)
        let discovery = EdgeDiscovery(configuration, group: group, logger: logger)
        let host = HostChanges(group: group, clock: clock, logger: logger)
        self.init(
            haConnections: configuration.wantedConnections, backoff: configuration.backoff, clock: clock,
            logger: logger, report: report, watchHost: { await host.run($0) },
            discover: { try await discovery.addresses(isRepeated: $0) }, connect: { try await connector.connect($0) })
        let (asked, most) = (configuration.haConnections, configuration.wantedConnections)
        if asked > most { sayMost(asked, most) }
    }

    /// - Parameters:
    ///   - watchHost: tells what happens to the host, until cancelled.
    ///   - discover: looks up the edge's addresses; called by one task only.
    ///   - connect: makes one attempt and returns when that connection is over.
    init(
        haConnections: Int, backoff: Backoff = Backoff(), clock: any Clock<Duration>, logger: Logger,
        report: @escaping @Sendable (ConnectionEvent) -> Void, watchHost: @escaping WatchHost,
        discover: @escaping Discover, connect: @escaping Connect
    ) {
        self.haConnections = haConnections
        self.backoff = backoff
        self.connect = connect
        self.watchHost = watchHost
        self.clock = clock
        self.logger = logger
        self.report = report
        self.discover = discover
        began = Stopwatch(clock)
    }

    /// Serves until drained.
    ///
    /// - Throws: `ConnectorError` when the edge refuses the tunnel for good, `CancellationError` when cancelled.
    func run() async throws {
        began.start()
        let watchHost = watchHost
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { await watchHost { self.hostChanged($0) } }
            tasks.addTask { await self.markNetworkChanges() }
            tasks.addTask { await self.keepLookingUp() }
            defer { tasks.cancelAll() }
            try await keepSlots(haConnections)
        }
    }

    private func keepSlots(_ count: Int) async throws {
        try await withThrowingTaskGroup { slots in
            for index in 0..<count {
                slots.addTask { try await self.keepSlot(UInt8(index)) }
            }
            // Not `waitForAll`, which would let the other slots wait on after one gave up.
            while try await slots.next() != nil {}
        }
    }

    /// Ends every connection gracefully; `run` returns when the last one is over.
    nonisolated func drain() {
        draining.open()
    }

    private nonisolated func hostChanged(_ change: HostChange) {
        logger.debug("Host changed, checking connections", metadata: ["change": "\(change)"])
        if case .resumed = change { news.resumptions.beat() }
        news.changes.beat()
        wake.beat()
    }

    /// Another configuration is in force; the edge is told.
    nonisolated func configurationChanged() {
        news.configurations.beat()
    }

    // MARK: One slot

    private func keepSlot(_ index: UInt8) async throws {
        await waitForTurn(of: index)
        var machine = ConnectionSlot.StateMachine(backoff: backoff)
        var random = SystemRandomNumberGenerator()
        while !draining.isOpen {
            try Task.checkCancellation()
            let action: ConnectionSlot.StateMachine.Action
            let registration = Stopwatch(clock)
            do {
                let end = try await attempt(
                    index, previousAttempts: machine.previousAttempts, startsOver: !machine.dialWasStale,
                    registration: registration)
                action = machine.sessionEnded(end, lived: registration.elapsed, using: &random)
            } catch let error as LinkError {
                action = machine.dialFailed(error, using: &random)
            }
            guard try await carryOut(action, slot: index, wasRegistered: registration.elapsed != nil) else { return }
        }
    }

    private func waitForTurn(of index: UInt8) async {
        guard index > 0 else { return }
        let clock = clock
        let firstRegistered = firstRegistered
        await waitUnlessDraining {
            await Self.first(
                { await firstRegistered.wait() }, { try? await clock.sleep(for: Self.firstSlotDeadline) })
            try? await clock.sleep(for: Self.startInterval * (Int(index) - 1))
        }
    }

    /// Returns false when the slot is over.
    private func carryOut(
        _ action: ConnectionSlot.StateMachine.Action, slot index: UInt8, wasRegistered: Bool
    ) async throws -> Bool {
        switch action {
        case .finish:
            report(.disconnected(index: index))
            return false
        case .giveUp(let reason):
            guard firstRegistered.isOpen else {
                throw ConnectorError(.refusedByEdge, "the edge refuses this tunnel: \(reason)")
            }
            // Other connections serve. One edge's refusal must not end them; this slot alone waits, as long as any does.
            let cap = backoff.cap
            let pause = ConnectionSlot.Wait(duration: cap, atLeast: cap, elsewhere: true, cause: reason)
            return await rest(pause, slot: index, wasRegistered: wasRegistered)
        case .wait(let pause):
            return await rest(pause, slot: index, wasRegistered: wasRegistered)
        }
    }

    private func rest(_ pause: ConnectionSlot.Wait, slot index: UInt8, wasRegistered: Bool) async -> Bool {
        guard !draining.isOpen else {
            // Lost just when it was to end.
            report(.disconnected(index: index))
            return false
        }
        report(.reconnecting(index: index, cause: pause.cause))
        let message: Logger.Message =
            wasRegistered ? "Connection terminated" : "Unable to establish connection with Cloudflare edge"
        logger.warning(message, metadata: ["error": "\(pause.cause)", "connIndex": "\(index)"])
        logger.info(
            "Retrying connection in up to \(GoDuration.format(pause.duration.rounded))",
            metadata: ["connIndex": "\(index)"])
        if pause.elsewhere { addressFailed(forConnection: index) }
        let clock = clock
        let news = wake.next
        await waitUnlessDraining {
            try? await clock.sleep(for: pause.atLeast)
            guard pause.duration > pause.atLeast, !news.isOpen else { return }
            await Self.first(
                { await news.wait() }, { try? await clock.sleep(for: pause.duration - pause.atLeast) })
        }
        return true
    }

    private func attempt(
        _ index: UInt8, previousAttempts: UInt8, startsOver: Bool, registration: Stopwatch
    ) async throws -> SessionEnd {
        // Only a drain, or a cancellation, ends the wait for an address without one.
        guard let edge = try await address(forConnection: index) else { return .drained }
        let report = report
        let firstRegistered = firstRegistered
        let wake = wake
        defer { if registration.elapsed != nil { addressWorked(forConnection: index) } }
        return try await connect(
            ConnectionAttempt(
                index: index, edge: edge, previousAttempts: previousAttempts, draining: draining, news: news,
                startsOver: startsOver
            ) { event in
                report(event)
                guard case .connected = event else { return }
                registration.start()
                firstRegistered.open()
                // Whoever waits for a path to come back: one has.
                wake.beat()
            })
    }

    // MARK: Waiting

    /// Waits for `body`, but not longer than until the drain begins.
    func waitUnlessDraining(_ body: @escaping @Sendable () async -> Void) async {
        let draining = draining
        await Self.first(body, { await draining.wait() })
    }

    /// Returns when the first of the two has, and ends the other.
    static func first(
        _ one: @escaping @Sendable () async -> Void, _ other: @escaping @Sendable () async -> Void
    ) async {
        await withTaskGroup { tasks in
            tasks.addTask { await one() }
            tasks.addTask { await other() }
            await tasks.next()
            tasks.cancelAll()
        }
    }
}

extension Duration {
    /// To the tenth of a second, for people.
    fileprivate var rounded: Duration {
        .milliseconds((components.seconds * 10 + components.attoseconds / 100_000_000_000_000_000) * 100)
    }
}
