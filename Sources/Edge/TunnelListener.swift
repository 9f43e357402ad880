import EdgeTransport
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Accepts connectors, and owns a session for each. `run()` serves what `bind` has accepted.
final class TunnelListener: Sendable {
    private struct Accepted: Sendable {
        let link: HTTP2Link
        let address: String
        let seat: Seat
    }

    private let certificates: EdgeCertificates
    private let limits: EdgeLimits
    private let configuration: LinkConfiguration
    private let registry: TunnelRegistry
    private let logger: Logger
    private let rejections: RejectionLog
    private let channels: OpenChannels
    private let strangers = Atomic<Int>(0)
    private let accepted: AsyncStream<Accepted>
    private let continuation: AsyncStream<Accepted>.Continuation

    init(
        certificates: EdgeCertificates, configuration: LinkConfiguration, limits: EdgeLimits,
        registry: TunnelRegistry, logger: Logger
    ) {
        self.certificates = certificates
        self.configuration = configuration
        self.limits = limits
        self.registry = registry
        self.logger = logger
        rejections = RejectionLog(logger: logger)
        channels = OpenChannels(limit: limits.links)
        (accepted, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(limits.unregisteredLinks))
    }

    /// Starts to listen. Closing the channel stops it; links live on.
    func bind(to address: SocketAddress, group: any EventLoopGroup) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
            }
            .bind(to: address).get()
    }

    private func accept(_ channel: any Channel) throws {
        guard let seat = Seat(among: self), channels.admit(channel) else {
            channel.close(promise: nil)
            return
        }
        channel.closeFuture.whenComplete { _ in seat.leave() }
        let link = try HTTP2Link.accept(channel, tls: certificates.now.tunnel, configuration: configuration)
        let address = channel.remoteAddress?.plainIP ?? "unknown"
        if case .enqueued = continuation.yield(Accepted(link: link, address: address, seat: seat)) { return }
        channel.close(promise: nil)
    }

    /// Serves links until cancelled; then closes them all.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await next in accepted {
                group.addTask { [self] in
                    let session = ConnectorSession(
                        link: next.link, address: next.address, registry: registry, limits: limits, logger: logger,
                        rejections: rejections, registered: { next.seat.leave() })
                    await session.run()
                }
            }
            group.cancelAll()
        }
        channels.closeAll()
    }

    /// One of the places for links that have not registered yet.
    private final class Seat: Sendable {
        private let listener: TunnelListener
        private let isTaken = Atomic<Bool>(true)

        init?(among listener: TunnelListener) {
            self.listener = listener
            let count = listener.strangers.add(1, ordering: .relaxed).newValue
            guard count <= listener.limits.unregisteredLinks else {
                listener.strangers.subtract(1, ordering: .relaxed)
                return nil
            }
        }

        func leave() {
            if isTaken.exchange(false, ordering: .relaxed) { listener.strangers.subtract(1, ordering: .relaxed) }
        }
    }
}
