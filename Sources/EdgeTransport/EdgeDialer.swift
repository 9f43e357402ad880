import ByteStream
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// One connection to an edge, up to where TLS begins: from the local address, through the proxy. Lives for one dial; cancelling
/// closes the connection.
final class EdgeDialer: Sendable {
    private let edge: EdgeEndpoint
    private let configuration: LinkConfiguration
    private let resolver: (any Resolver & Sendable)?
    /// A proxy with several addresses may be tried at some of them at once.
    private let state = Mutex<(channels: [any Channel], isCancelled: Bool)>(([], false))

    /// - Parameter resolver: finds a proxy's addresses; nil for the host's name service.
    init(
        _ edge: EdgeEndpoint, _ configuration: LinkConfiguration, resolver: (any Resolver & Sendable)? = nil
    ) {
        self.edge = edge
        self.configuration = configuration
        self.resolver = resolver
    }

    /// - Parameter install: puts the link's handlers on the connection, on the event loop: before it is made where nothing
    ///   stands between, else when the proxy has opened the way.
    /// - Throws: `LinkError`.
    func connect<Link: Sendable>(
        on eventLoop: any EventLoop, install: @escaping @Sendable (any Channel) throws -> Link
    ) async throws -> Link {
        do {
            let bootstrap = try bootstrap(on: eventLoop)
            if let proxy = configuration.proxy {
                return try await connect(through: proxy, bootstrap, on: eventLoop, install)
            }
            guard case .address(let address) = edge else {
                throw LinkError(.dialFailed, "only a proxy can go to \(edge) by its name")
            }
            return try await bootstrap.connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try self.began(channel)
                    return try install(channel)
                }
            }
        } catch {
            throw LinkError.dialing(edge, from: configuration.localAddress, through: configuration.proxy, error)
        }
    }

    func cancel() {
        let channels = state.withLock { state in
            state.isCancelled = true
            return state.channels
        }
        for channel in channels { channel.close(promise: nil) }
    }

    private func began(_ channel: any Channel) throws {
        let isCancelled = state.withLock { state in
            state.channels.append(channel)
            return state.isCancelled
        }
        if isCancelled { throw CancellationError() }
    }

    private func bootstrap(on eventLoop: any EventLoop) throws -> ClientBootstrap {
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(configuration.dialTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpUserTimeout, value: SocketOptionValue(configuration.unacknowledgedTimeout.milliseconds))
        return configuration.localAddress.map { bootstrap.bind(to: $0) } ?? bootstrap
    }

    private func connect<Link: Sendable>(
        through proxy: ProxyServer, _ bootstrap: ClientBootstrap, on eventLoop: any EventLoop,
        _ install: @escaping @Sendable (any Channel) throws -> Link
    ) async throws -> Link {
        let promise = eventLoop.makePromise(of: (any Channel).self)
        bootstrap.resolver(resolver)
            .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try self.began(channel) } }
            .connect(host: proxy.host, port: proxy.port).cascade(to: promise)
        // A lookup cannot be ended. What still comes of it after a cancellation is refused as it begins.
        let channel = try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
        do {
            return try await channel.eventLoop.flatSubmit { self.pass(proxy, channel, install) }.get()
        } catch {
            channel.close(promise: nil)
            throw error
        }
    }

    /// Asks the proxy for the way, on the event loop.
    private func pass<Link: Sendable>(
        _ proxy: ProxyServer, _ channel: any Channel, _ install: @escaping @Sendable (any Channel) throws -> Link
    ) -> EventLoopFuture<Link> {
        // Closed meanwhile, by a cancellation: nothing would tell a handler that is added now.
        guard channel.isActive else { return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        let promise = channel.eventLoop.makePromise(of: Link.self)
        let timer = channel.eventLoop.scheduleTask(in: configuration.startTimeout) {
            promise.fail(ChannelError.connectTimeout(self.configuration.startTimeout))
        }
        promise.futureResult.whenComplete { _ in timer.cancel() }
        do {
            try ProxyTunnel.open(
                proxy, to: edge.host, port: edge.port, userAgent: configuration.userAgent, on: channel
            ) { outcome in
                switch outcome {
                case .accepted: promise.completeWith(Result { try install(channel) })
                case .refused(let head, _): promise.fail(ProxyRefusal(status: Int(head.status.code)))
                case .failed(let error): promise.fail(error)
                }
            }
        } catch {
            promise.fail(error)
        }
        return promise.futureResult
    }
}

/// An HTTP proxy that does not open the way.
struct ProxyRefusal: Error, CustomStringConvertible {
    var status: Int

    var description: String {
        status == 407 ? "407, it wants a login: put user:password@ into the URL" : "it answered \(status)"
    }
}
