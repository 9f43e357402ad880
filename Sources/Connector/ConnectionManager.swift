import EdgeTransport
import Foundation
import Logging
import NIOCore
import NIOSSL
import OriginTransport
import TunnelConfig
import TunnelWire

/// Keeps the wanted number of connections to the edge alive, each in a slot of its own, until drained.
///
/// Slot 0 starts alone; the others follow once it has registered, so that a wrong credential is told once and not four
/// times. Lives for one `run`.
actor ConnectionManager {
    private let configuration: ConnectorConfiguration
    private let tls: NIOSSLContext
    private let proxy: StreamProxy
    private let group: any EventLoopGroup
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let report: @Sendable (ConnectionEvent) -> Void
    private let firstRegistered = Gate()
    private let draining = Gate()
    private var pool: EdgeAddressPool

    init(
        configuration: ConnectorConfiguration, tls: NIOSSLContext, proxy: StreamProxy, group: any EventLoopGroup,
        clock: any Clock<Duration>, logger: Logger, report: @escaping @Sendable (ConnectionEvent) -> Void
    ) {
        self.configuration = configuration
        self.tls = tls
        self.proxy = proxy
        self.group = group
        self.clock = clock
        self.logger = logger
        self.report = report
        pool = EdgeAddressPool(configuration.edges)
    }

    /// Serves until drained.
    ///
    /// - Throws: `ConnectorError` when the edge refuses the tunnel for good, `CancellationError` when cancelled.
    func run() async throws {
        var count = configuration.haConnections
        if count > pool.count {
            logger.info("You requested \(count) HA connections but I can give you at most \(pool.count).")
            count = pool.count
        }
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

    // MARK: One slot

    private func keepSlot(_ index: UInt8) async throws {
        if index > 0 { await waitUnlessDraining { await self.firstRegistered.wait() } }
        var machine = ConnectionSlot.StateMachine(backoff: configuration.backoff)
        var random = SystemRandomNumberGenerator()
        while !draining.isOpen {
            try Task.checkCancellation()
            var action: ConnectionSlot.StateMachine.Action
            let registration = Gate()
            do {
                let end = try await attempt(
                    index, previousAttempts: machine.previousAttempts, registration: registration)
                if registration.isOpen { machine.registered() }
                action = machine.sessionEnded(end, wasRegistered: registration.isOpen, using: &random)
            } catch let error as LinkError {
                action = machine.dialFailed(error, using: &random)
            }
            guard try await carryOut(action, slot: index, wasRegistered: registration.isOpen) else { return }
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
            let pause = ConnectionSlot.StateMachine.Action.wait(
                configuration.backoff.cap, elsewhere: true, cause: reason)
            return try await carryOut(pause, slot: index, wasRegistered: wasRegistered)
        case .wait(let duration, let elsewhere, let cause):
            guard !draining.isOpen else { return false }
            report(.reconnecting(index: index, cause: cause))
            let message: Logger.Message =
                wasRegistered ? "Connection terminated" : "Unable to establish connection with Cloudflare edge"
            logger.warning(message, metadata: ["error": "\(cause)", "connIndex": "\(index)"])
            logger.info(
                "Retrying connection in up to \(GoDuration.format(duration.rounded))",
                metadata: ["connIndex": "\(index)"])
            if elsewhere { _ = pool.addressFailed(forConnection: Int(index)) }
            let clock = clock
            await waitUnlessDraining { try? await clock.sleep(for: duration) }
            return true
        }
    }

    private func attempt(_ index: UInt8, previousAttempts: UInt8, registration: Gate) async throws -> SessionEnd {
        guard let edge = pool.address(forConnection: Int(index)) else {
            throw LinkError(.dialFailed, "there are no free edge addresses left to resolve to")
        }
        let address = try await resolve(edge, attempt: Int(previousAttempts))
        var logger = logger
        logger[metadataKey: "connIndex"] = "\(index)"
        logger[metadataKey: "event"] = "0"
        logger[metadataKey: "ip"] = "\(address.ipAddress ?? edge)"
        let report = report
        let firstRegistered = firstRegistered
        let session = TunnelSession(
            plan: configuration.plan(index: index, previousAttempts: previousAttempts, tls: tls), proxy: proxy,
            on: group.next(), logger: logger
        ) { event in
            if case .connected = event {
                registration.open()
                firstRegistered.open()
            }
            report(event)
        }
        let draining = draining
        return try await withThrowingTaskGroup(of: SessionEnd?.self) { tasks in
            tasks.addTask { try await session.run(address) }
            tasks.addTask {
                await draining.wait()
                if draining.isOpen { await session.drain() }
                return nil
            }
            while let end = try await tasks.next() {
                guard let end else {
                    if await session.isDialing { tasks.cancelAll() }
                    continue
                }
                tasks.cancelAll()
                return end
            }
            return .drained
        }
    }

    /// Waits for `body`, but not longer than until the drain begins.
    private func waitUnlessDraining(_ body: @escaping @Sendable () async -> Void) async {
        let draining = draining
        await withTaskGroup { tasks in
            tasks.addTask { await body() }
            tasks.addTask { await draining.wait() }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    /// The addresses of the name take turns: the first one may be of a family that leads nowhere.
    private func resolve(_ edge: String, attempt: Int) async throws -> SocketAddress {
        guard let target = HostAndPort(edge) else {
            throw ConnectorError(.badConfiguration, "\(edge) is no edge address; give --edge as host:port")
        }
        do {
            let found = try await OriginResolver.addresses(host: target.host, port: target.port, on: group.next()).get()
            return found[attempt % found.count]
        } catch {
            throw LinkError(.dialFailed, "no way to the edge \(edge) of --edge", cause: error)
        }
    }
}

/// `host:port`, IPv6 in brackets.
struct HostAndPort: Equatable, Sendable {
    var host: String
    var port: Int

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = port
    }
}

extension Duration {
    /// To the tenth of a second, for people.
    fileprivate var rounded: Duration {
        .milliseconds((components.seconds * 10 + components.attoseconds / 100_000_000_000_000_000) * 100)
    }
}
