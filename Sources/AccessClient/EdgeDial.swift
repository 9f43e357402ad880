import ByteStream
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ServiceHost
import TunnelConfig

/// One attempt to open a WebSocket to the edge: connect, proxy, TLS, upgrade, within one deadline.
///
/// Lives from `connected()` until that returns; the pipe it gives carries the frames and is paused. Everything happens on
/// `eventLoop`.
// Safety: all state is touched on `eventLoop` only; `connected` and cancellation hop there.
final class EdgeDial: @unchecked Sendable {
    /// How far it came, for the error that says which hop failed.
    private enum Stage {
        case connecting, proxy, tls, upgrade
    }

    private let configuration: ForwarderConfiguration
    private let request: UpgradeRequest
    private let tls: NIOSSLContext
    private let proxy: ProxyServer?
    private let eventLoop: any EventLoop
    private let opened: EventLoopPromise<ChannelPipe>
    private var stage = Stage.connecting
    private var channel: (any Channel)?
    private var timer: Scheduled<Void>?
    private var isOver = false

    /// - Throws: `AccessError` (configuration) when the environment names a proxy that cannot be used.
    init(
        _ configuration: ForwarderConfiguration, request: UpgradeRequest, tls: NIOSSLContext, eventLoop: any EventLoop
    ) throws {
        self.configuration = configuration
        self.request = request
        self.tls = tls
        self.eventLoop = eventLoop
        let target = Self.target(configuration)
        proxy = try ProxySettings(environment: configuration.environment).proxy(forHost: target.host, port: target.port)
        opened = eventLoop.makePromise()
    }

    /// Where the TCP connection to the edge goes, and for whom.
    private static func target(_ configuration: ForwarderConfiguration) -> ConnectTo {
        let hostname = configuration.hostname
        return configuration.connectTo
            ?? ConnectTo(host: hostname.host, port: hostname.port ?? 443, serverName: hostname.host)
    }
    private var target: ConnectTo { Self.target(configuration) }
    private var targetText: String {
        "\(target.host.contains(":") ? "[\(target.host)]" : target.host):\(target.port)"
    }

    /// Makes the attempt; cancelling the task gives it up at once.
    ///
    /// - Throws: `AccessError`, or `CancellationError`.
    func connected() async throws -> ChannelPipe {
        try await withTaskCancellationHandler {
            eventLoop.execute { self.begin() }
            return try await opened.futureResult.get()
        } onCancel: {
            eventLoop.execute { self.fail(CancellationError()) }
        }
    }

    // MARK: The hops, in order

    private func begin() {
        guard !isOver else { return }
        timer = eventLoop.assumeIsolated().scheduleTask(in: configuration.handshakeTimeout) { self.timeOut() }
        let (host, port) = proxy.map { ($0.host, $0.port) } ?? (target.host, target.port)
        // Names under localhost are this machine without asking anyone (RFC 6761 section 6.3).
        let resolver = ProxySettings.isLocalhostName(host) ? LoopbackResolver(eventLoop) : nil
        ClientBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .connectTimeout(configuration.handshakeTimeout)
            .resolver(resolver)
            .connect(host: host, port: port)
            .assumeIsolated().whenComplete { result in
                switch result {
                case .success(let channel): self.tcpConnected(channel)
                case .failure(let error): self.fail(error)
                }
            }
    }

    private func tcpConnected(_ channel: any Channel) {
        guard !isOver else {
            channel.close(promise: nil)
            return
        }
        self.channel = channel
        attempt {
            guard let proxy else { return try startTLS(channel) }
            stage = .proxy
            try ProxyTunnel.open(
                proxy, to: target.host, port: target.port, userAgent: Version.userAgent, on: channel
            ) { outcome in
                self.proxyAnswered(outcome, channel)
            }
        }
    }

    private func proxyAnswered(_ outcome: HTTPExchange.Outcome, _ channel: any Channel) {
        switch outcome {
        case .accepted:
            attempt { try startTLS(channel) }
        case .refused(let head, _):
            let remedy =
                head.status.code == 407 ? "put user:password@ into HTTPS_PROXY" : "check HTTPS_PROXY and NO_PROXY"
            fail(
                AccessError(
                    .proxy, "proxy \(proxyText) refused the way to \(targetText): \(head.status.code); \(remedy)"))
        case .failed(let error):
            fail(error)
        }
    }

    private func startTLS(_ channel: any Channel) throws {
        guard !isOver else { return }
        stage = .tls
        let handler = try ServerIdentity.tlsHandler(tls, serverName: target.serverName)
        try channel.pipeline.syncOperations.addHandlers(handler, BareCloseHandler())
        try startUpgrade(channel)
    }

    private func startUpgrade(_ channel: any Channel) throws {
        var pipe: ChannelPipe?
        try HTTPExchange.start(
            request.head, on: channel,
            isHopedFor: { UpgradeAnswer.isWebSocket($0, expectedAccept: self.request.expectedAccept) },
            onSent: { self.stage = .upgrade },
            onAccepted: { pipe = try ChannelPipe.install(on: channel) }
        ) { outcome in
            switch outcome {
            case .accepted:
                if let pipe { self.succeed(pipe) }
            case .refused(let head, let body):
                self.fail(
                    UpgradeAnswer.refusal(
                        head, body: body, hostname: self.configuration.hostname,
                        bearer: self.request.bearer))
            case .failed(let error):
                self.fail(error)
            }
        }
    }

    // MARK: The end

    private func attempt(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            fail(error)
        }
    }

    private func succeed(_ pipe: ChannelPipe) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        opened.succeed(pipe)
    }

    private func timeOut() {
        let seconds = Double(configuration.handshakeTimeout.nanoseconds / 1_000_000) / 1000
        let step =
            switch stage {
            case .connecting: "\(proxy.map { "proxy \($0)" } ?? targetText) did not accept a connection"
            case .proxy: "proxy \(proxyText) did not open the way to \(targetText)"
            case .tls: "\(targetText) did not complete TLS"
            case .upgrade: "\(configuration.hostname.authorityText) did not answer the WebSocket request"
            }
        fail(AccessError(.timedOut, "\(step) within \(seconds) s; check the network and that the edge is up"))
    }

    private func fail(_ error: any Error) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        channel?.close(promise: nil)
        opened.fail(error is CancellationError ? error : described(error))
    }

    private var proxyText: String { proxy.map { "\($0)" } ?? "" }

    private func described(_ error: any Error) -> AccessError {
        if let error = error as? AccessError { return error }
        switch stage {
        case .connecting:
            return DialFailure.describe(error, target: proxy.map { "proxy \($0)" } ?? targetText)
        case .proxy:
            return AccessError(.proxy, "proxy \(proxyText) did not open the way to \(targetText)", cause: error)
        case .tls, .upgrade:
            return DialFailure.describe(error, serverName: target.serverName, target: targetText)
        }
    }
}

/// Answers every query with the loopback addresses.
final class LoopbackResolver: Resolver, Sendable {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        eventLoop.makeCompletedFuture { [try SocketAddress(ipAddress: "127.0.0.1", port: port)] }
    }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        eventLoop.makeCompletedFuture { [try SocketAddress(ipAddress: "::1", port: port)] }
    }

    func cancelQueries() {}
}
