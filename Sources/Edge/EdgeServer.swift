package import Access
import AccessPolicy
package import EdgeStore
package import EdgeTransport
import Glibc
package import Logging
package import NIOCore
package import NIOSSL
import ServiceHost

/// An edge: listens for connectors and visitors, and joins them.
///
/// `run()` owns everything it starts. Cancelling ends it at once; `drain()` lets what runs end first.
package actor EdgeServer {
    package struct Configuration: Sendable {
        package var tunnelListen: ListenAddress
        package var httpsListen: ListenAddress
        /// Those of the start.
        package var certificates: EdgeCertificates.Pair
        package var names: VisitorGate.Names
        package var limits = EdgeLimits()
        package var link = LinkConfiguration()

        package init(
            tunnelListen: ListenAddress, httpsListen: ListenAddress, tunnelTLS: NIOSSLContext,
            visitorTLS: VisitorTLS, names: VisitorGate.Names
        ) {
            self.tunnelListen = tunnelListen
            self.httpsListen = httpsListen
            certificates = EdgeCertificates.Pair(tunnel: tunnelTLS, visitor: visitorTLS)
            self.names = names
        }
    }

    /// Where the edge listens, as bound: `ip:port`.
    package struct Listening: Sendable, Equatable, Codable {
        package let tunnel: String
        package let https: String

        package init(tunnel: String, https: String) {
            self.tunnel = tunnel
            self.https = https
        }
    }

    /// What new connections are shown.
    package nonisolated let certificates: EdgeCertificates

    private let configuration: Configuration
    private let store: any ClusterStore
    private let registry: TunnelRegistry
    private let account: AccountAPI?
    private let access: (any AccessService)?
    private let audit: AuditLog?
    private let policies: PolicyCache
    private let group: any EventLoopGroup
    private let logger: Logger
    private let stops: AsyncStream<Void>
    private let stop: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - account: answers the account API.
    ///   - access: answers for people and tokens; nil: only service tokens open what is not open.
    ///   - audit: keeps what the gate decides; whoever owns it runs it.
    ///   - policies: of the same store, kept current by `run()`; nil: the edge makes its own.
    package init(
        configuration: Configuration, store: any ClusterStore, account: AccountAPI?,
        access: (any AccessService)? = nil, audit: AuditLog? = nil, policies: PolicyCache? = nil,
        group: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.account = account
        self.access = access
        self.audit = audit
        self.policies = policies ?? PolicyCache(source: StorePolicySource(store: store), logger: logger)
        self.group = group
        self.logger = logger
        certificates = EdgeCertificates(configuration.certificates)
        registry = TunnelRegistry(store: store, limits: configuration.limits, logger: logger)
        (stops, stop) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    }

    /// Asks `run()` to end: neither visitors nor connectors are accepted any more, what visitors have begun may finish
    /// within the limit, then the links close, which is what connectors notice (tunnel-protocol section 2.3).
    package nonisolated func drain() {
        stop.finish()
    }

    /// How many links and tunnels there are, when that changes. For one reader.
    package nonisolated var censuses: AsyncStream<TunnelRegistry.Census> { registry.censuses }

    /// Returns when the registry and every event loop have answered.
    package func probe() async {
        await registry.answerProbe()
        for loop in group.makeIterator() { try? await loop.submit {}.get() }
    }

    /// Serves until drained or cancelled.
    ///
    /// - Parameter listening: called when both listeners are bound.
    /// - Throws: `EdgeError` when a listener cannot be bound, and what `listening` throws.
    package func run(listening: @Sendable (Listening) async throws -> Void) async throws {
        let limits = configuration.limits
        let asides = Asides(limit: limits.asides)
        let looks = SecondLooks(limit: limits.asides) { [policies, registry] in
            try? await policies.refreshNow()
            await registry.refresh()
        }
        let streams = OpenStreams()
        let desk = access.map { AccessDesk(service: $0, limits: limits) }
        policies.onChange {
            desk?.forgetAssertions()
            streams.recheckAll()
        }
        let gate = VisitorGate(
            names: configuration.names, limits: limits, routes: registry.routes, policies: policies,
            looks: looks, account: account, access: desk, streams: streams,
            record: GateRecord(log: audit, limits: limits), asides: asides, logger: logger)
        let visitors = VisitorListener(
            certificates: certificates, limits: limits, rejections: RejectionLog(logger: logger)
        ) { gate.arrived($0) }
        let connectors = TunnelListener(
            certificates: certificates, configuration: configuration.link, limits: limits, registry: registry,
            logger: logger)

        await registry.forgetAll()
        await registry.refresh()
        try? await policies.refreshNow()
        let (tunnel, https) = try await bind(connectors, visitors)
        let result = await withTaskGroup(of: Void.self) { tasks -> Result<Void, any Error> in
            tasks.addTask { [registry] in await registry.run() }
            tasks.addTask { [policies] in await policies.run() }
            tasks.addTask { await asides.run() }
            tasks.addTask { await looks.run() }
            tasks.addTask { await desk?.run() }
            tasks.addTask { await connectors.run() }
            let result = await announce(tunnel, https, listening)
            if case .success = result { for await _ in stops {} }
            try? await https.close()
            // A connector that looks for an edge now had better find another one.
            try? await tunnel.close()
            visitors.channels.quiesce()
            if case .success = result {
                let limit = Duration.nanoseconds(limits.drain.nanoseconds)
                await visitors.channels.waitUntilEmpty(for: limit)
            }
            visitors.channels.closeAll()
            tasks.cancelAll()
            return result
        }
        await registry.forgetAll()
        logger.info("Edge stopped")
        try result.get()
    }

    private func announce(
        _ tunnel: any Channel, _ https: any Channel, _ listening: @Sendable (Listening) async throws -> Void
    ) async -> Result<Void, any Error> {
        let addresses = Listening(
            tunnel: tunnel.localAddress?.text ?? "", https: https.localAddress?.text ?? "")
        do {
            try await listening(addresses)
        } catch {
            return .failure(error)
        }
        logger.info(
            "Edge listening", metadata: ["tunnel": "\(addresses.tunnel)", "https": "\(addresses.https)"])
        return .success(())
    }

    /// Both ports, or none.
    private func bind(
        _ connectors: TunnelListener, _ visitors: VisitorListener
    ) async throws -> (tunnel: any Channel, https: any Channel) {
        let tunnel = try await bind("tunnel", configuration.tunnelListen) { [group] address in
            try await connectors.bind(to: address, group: group)
        }
        do {
            let https = try await bind("https", configuration.httpsListen) { [group] address in
                try await visitors.bind(to: address, group: group)
            }
            return (tunnel, https)
        } catch {
            try? await tunnel.close()
            throw error
        }
    }

    private func bind(
        _ name: String, _ address: ListenAddress, _ bind: @Sendable (SocketAddress) async throws -> any Channel
    ) async throws -> any Channel {
        do {
            return try await bind(try address.socketAddress())
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw EdgeError(
                .listen,
                "the edge cannot listen on \(address): the port is taken; stop the program that has it "
                    + "(`ss -ltnp`), or give --\(name)-listen another one")
        } catch let error as IOError where error.errnoCode == EACCES {
            throw EdgeError(
                .listen,
                "the edge may not listen on \(address): ports below 1024 need the capability "
                    + "CAP_NET_BIND_SERVICE; give --\(name)-listen another one")
        } catch {
            throw EdgeError(
                .listen, "the edge cannot listen on \(address); give --\(name)-listen an address of this machine",
                cause: error)
        }
    }
}
