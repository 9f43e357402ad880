import ByteStream
import Glibc
package import Logging
package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import TunnelConfig

/// Lets local programs reach a service behind an Access hostname: what `cloudflared access tcp` is (and its aliases rdp,
/// ssh, smb). Each local connection becomes one WebSocket to the edge.
///
/// A value; what runs belongs to `run`. Cancelling the task that runs it is the graceful stop: no more connections are
/// accepted, open WebSockets are left with 1001, and `run` returns within the grace period.
package struct Forwarder: Sendable {
    let configuration: ForwarderConfiguration
    let logger: Logger
    let eventLoopGroup: any EventLoopGroup

    /// - Parameter eventLoopGroup: the process-wide one if none is given.
    package init(
        _ configuration: ForwarderConfiguration, logger: Logger,
        eventLoopGroup: (any EventLoopGroup)? = nil
    ) {
        self.configuration = configuration
        self.logger = logger
        self.eventLoopGroup = eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton
    }

    /// Runs in the mode of the configuration: listens until cancelled, or carries standard input and output.
    ///
    /// - Parameter onListening: called once with the bound address.
    /// - Throws: `AccessError`. A failed connection ends a listener never, standard input and output always.
    package func run(onListening: @Sendable (SocketAddress) -> Void = { _ in }) async throws {
        guard let listen = configuration.listen else {
            try await runStandardIO()
            return
        }
        let tls = try trustedContext()
        let listener = try await bind(listen)
        if let bound = listener.channel.localAddress {
            logger.info("Start Websocket listener", metadata: ["host": "\(Self.text(of: bound))"])
            onListening(bound)
        }
        if !listen.isLoopback {
            logger.warning(
                "Other machines can reach this listener and use your access: listen on localhost unless that is meant",
                metadata: ["host": "\(listen)"])
        }
        try await accept(listener, tls: tls)
    }

    /// The TLS settings of all connections; made once, since reading the authorities takes time.
    func trustedContext() throws -> NIOSSLContext {
        try TrustedAuthorities.context(
            authorityFiles: configuration.authorityFiles, environment: configuration.environment)
    }

    // MARK: Listening

    private typealias Listener = NIOAsyncChannel<ChannelPipe, Never>

    private func bind(_ listen: ListenAddress) async throws -> Listener {
        // The first address of localhost, without asking a name service.
        let host = ProxySettings.isLocalhostName(listen.host) ? "127.0.0.1" : listen.host
        do {
            return try await ServerBootstrap(group: eventLoopGroup)
                .serverChannelOption(.backlog, value: 256)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.autoRead, value: false)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .bind(host: host, port: listen.port) { channel in
                    channel.eventLoop.makeCompletedFuture { try ChannelPipe.install(on: channel) }
                }
        } catch {
            let remedy =
                (error as? IOError)?.errnoCode == EADDRINUSE
                ? "; the port is taken, see `lsof -nP -iTCP:\(listen.port)`" : ""
            throw AccessError(
                .listen, "failed to start forwarding server: cannot listen on \(listen)\(remedy)", cause: error)
        }
    }

    private func accept(_ listener: Listener, tls: NIOSSLContext) async throws {
        var failure: (any Error)?
        try await listener.executeThenClose { accepted in
            await withTaskGroup(of: Void.self) { connections in
                var open = 0
                do {
                    for try await local in accepted {
                        // At the limit the next one waits for an end, and those behind it in the kernel's queue.
                        if open >= configuration.maximumConnections {
                            await connections.next()
                            open -= 1
                        }
                        open += 1
                        connections.addTask { await serve(local, tls: tls) }
                    }
                } catch {
                    if !Task.isCancelled { failure = error }
                }
                // Nobody shall wait in the queue of a listener that is leaving.
                listener.channel.close(promise: nil)
                await connections.waitForAll()
            }
        }
        guard Task.isCancelled else {
            throw AccessError(.listen, "the listener ended by itself; start the command again", cause: failure)
        }
    }

    /// One local connection, from accept to end; its failure is logged here and goes no further.
    private func serve(_ local: ChannelPipe, tls: NIOSSLContext) async {
        do {
            let summary = try await forward(local, tls: tls)
            logger.debug(
                "Connection ended",
                metadata: [
                    "bytesUp": "\(summary.bytesLeftToRight)", "bytesDown": "\(summary.bytesRightToLeft)",
                    "error": "\(summary.error.map { "\($0)" } ?? "none")",
                ])
        } catch {
            if !(error is CancellationError) {
                logger.error(
                    "failed to connect to origin",
                    metadata: ["error": "\(error)", "originURL": "\(configuration.hostname.withoutQuery)"])
            }
            local.eventLoop.execute { local.abort() }
        }
    }

    // MARK: One connection

    /// Opens the WebSocket for a local connection and carries both ways until both ended.
    func forward(_ local: ChannelPipe, tls: NIOSSLContext) async throws -> Splice.Summary {
        let request = UpgradeRequest(configuration, key: WebSocketHandshake.makeKey())
        logger.debug(
            "Websocket request",
            metadata: [
                "url": "\(configuration.hostname.withoutQuery)", "headers": "\(request.loggedHeaders)",
            ])
        let dial = try EdgeDial(configuration, request: request, tls: tls, eventLoop: local.eventLoop)
        let remote = try await dial.connected()
        return await ForwardedConnection(local: local, remote: remote, configuration: configuration).carry()
    }

    static func text(of address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else { return "\(address)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
