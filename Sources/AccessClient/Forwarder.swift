import Access
import ByteStream
import Glibc
package import Logging
package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ServiceHost
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
    /// - Parameter onListening: called with the bound address, each time it is bound.
    /// - Throws: `AccessError` when it cannot listen at the start. A failed connection ends a listener never, standard
    ///   input and output always.
    package func run(onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in }) async throws {
        guard !configuration.isStandardIO else {
            try await runStandardIO()
            return
        }
        let listener = ForwarderListener(try prepared())
        try await listener.run(mustListen: true) { condition in
            if case .listening(let address) = condition { onListening(address) }
        }
    }

    /// With its authorities read, so that it can serve.
    func prepared() throws -> PreparedForwarder { PreparedForwarder(forwarder: self, tls: try trustedContext()) }

    /// The TLS settings of all connections; made once, since reading the authorities takes time.
    func trustedContext() throws -> NIOSSLContext {
        try TrustedAuthorities.context(
            authorityFiles: configuration.authorityFiles, environment: configuration.environment)
    }

    // MARK: Listening

    typealias Listener = NIOAsyncChannel<ChannelPipe, Never>

    /// Listens on the inherited socket if there is one, else on the configured address.
    ///
    /// - Throws: `AccessError` (listen).
    func bind() async throws -> Listener {
        let bootstrap = ServerBootstrap(group: eventLoopGroup)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
        do {
            if let socket = configuration.socket {
                return try await bootstrap.bind(try socket.copy(), childChannelInitializer: Self.pipe)
            }
            guard let listen = configuration.listen else {
                throw AccessError(.listen, "there is no address to listen on")
            }
            // The first address of localhost, without asking a name service.
            let host = ProxySettings.isLocalhostName(listen.host) ? "127.0.0.1" : listen.host
            return try await bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: host, port: listen.port, childChannelInitializer: Self.pipe)
        } catch {
            let remedy =
                (error as? IOError)?.errnoCode == EADDRINUSE
                ? "; the port is taken, see `lsof -nP -iTCP:\(configuration.listen?.port ?? 0)`" : ""
            throw AccessError(
                .listen, "failed to start forwarding server: cannot listen on \(listenerName)\(remedy)", cause: error)
        }
    }

    /// Where it listens, or is to listen, for messages.
    var listenerName: String {
        configuration.socket.map { Self.text(of: $0.address) } ?? configuration.listen.map { "\($0)" } ?? ""
    }

    /// Whether other machines cannot reach it.
    var isPrivate: Bool {
        guard let socket = configuration.socket else { return configuration.listen?.isLoopback ?? true }
        return socket.address.ipAddress.map { ListenAddress(host: $0, port: 0).isLoopback } ?? true
    }

    @Sendable private static func pipe(_ channel: any Channel) -> EventLoopFuture<ChannelPipe> {
        channel.eventLoop.makeCompletedFuture { try ChannelPipe.install(on: channel) }
    }

    /// One local connection, from accept to end; its failure is logged here and goes no further.
    fileprivate func serve(_ local: ChannelPipe, tls: NIOSSLContext) async {
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
        let remote = try await open(tls, local.eventLoop)
        return await ForwardedConnection(local: local, remote: remote, configuration: configuration).carry()
    }

    /// Asks without a token first, as the official client does. Where Access wants a person, with theirs; and once more
    /// with a new one where the edge does not know that token any longer.
    private func open(_ tls: NIOSSLContext, _ eventLoop: any EventLoop) async throws -> ChannelPipe {
        do {
            return try await dial(tls, eventLoop)
        } catch let error as AccessError where error.code == .loginRequired {
            guard let login = configuration.login, !configuration.usesServiceToken else { throw error }
            let application = try await login.application(at: WebURL(configuration.hostname))
            if let remote = try await open(tls, eventLoop, login, application, isLast: false) { return remote }
            guard let remote = try await open(tls, eventLoop, login, application, isLast: true) else { throw error }
            return remote
        }
    }

    /// With a token. Nil when the edge refused one that had been good: another is worth asking for, unless it was the last
    /// attempt. A refusal of a fresh one throws: every further connection would show a person another login.
    private func open(
        _ tls: NIOSSLContext, _ eventLoop: any EventLoop, _ login: AccessLogin, _ application: ProtectedApplication,
        isLast: Bool
    ) async throws -> ChannelPipe? {
        let token = try await login.token(for: application)
        do {
            let remote = try await dial(tls, eventLoop, token: token)
            login.confirm(token, of: application)
            return remote
        } catch let error as AccessError where error.code == .loginRequired {
            guard !login.discard(token, of: application), !isLast else { throw error }
            return nil
        }
    }

    private func dial(
        _ tls: NIOSSLContext, _ eventLoop: any EventLoop, token: AccessToken? = nil
    ) async throws -> ChannelPipe {
        let request = UpgradeRequest(configuration, key: WebSocketHandshake.makeKey(), token: token)
        logger.debug(
            "Websocket request",
            metadata: [
                "url": "\(configuration.hostname.withoutQuery)", "headers": "\(request.loggedHeaders)",
            ])
        return try await EdgeDial(configuration, request: request, tls: tls, eventLoop: eventLoop).connected()
    }

    static func text(of address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else { return address.pathname ?? "\(address)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// What serves the connections of a listener until it is replaced.
struct PreparedForwarder: Sendable {
    let forwarder: Forwarder
    fileprivate let tls: NIOSSLContext

    fileprivate init(forwarder: Forwarder, tls: NIOSSLContext) {
        self.forwarder = forwarder
        self.tls = tls
    }

    /// Carries one local connection to its end.
    func serve(_ local: ChannelPipe) async { await forwarder.serve(local, tls: tls) }
}
