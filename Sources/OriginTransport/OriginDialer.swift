package import ByteStream
import Glibc
package import NIOCore
import NIOPosix
package import TunnelConfig

/// Opens connections to origins, on the event loop of the stream they serve.
package struct OriginDialer: Sendable {
    package init() {}

    /// Connects to a stream service, or to any other fixed address.
    ///
    /// - Returns: a paused pipe. Fails with `OriginError`.
    package func openPipe(
        to target: OriginTarget, options: OriginRequest, on eventLoop: any EventLoop
    ) -> EventLoopFuture<ChannelPipe> {
        connect(to: target, options: options, on: eventLoop).flatMapThrowing { try ChannelPipe.install(on: $0) }
    }

    /// Connects to the destination that the client of a bastion named, if the rule's allow-list has it.
    ///
    /// The name is resolved once; each address is judged, and only judged ones are dialled, so that an answer that changes
    /// between two look-ups (DNS rebinding) reaches nothing.
    ///
    /// - Parameter header: value of `Cf-Access-Jump-Destination`.
    package func openPipe(
        toDestination header: String?, options: OriginRequest, on eventLoop: any EventLoop
    ) -> EventLoopFuture<ChannelPipe> {
        let destination: JumpDestination
        do {
            destination = try Self.destination(header)
            try Self.judge(destination, options.bastionAllow)
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
        let target = OriginTarget(
            .tcp(host: destination.host, port: destination.port), scheme: Self.scheme(of: header, destination.port))
        return connect(to: target, options: options, on: eventLoop) { address in
            guard let ip = address.ipAddress, let list = options.bastionAllow else { return false }
            return list.permits(address: ip, port: destination.port, host: destination.host)
        }.flatMapThrowing { try ChannelPipe.install(on: $0) }
    }

    /// Connects to the destination that a SOCKS client named, if the rule's `ipRules` allow the address it has. As for a
    /// bastion, the very addresses that were judged are dialled.
    package func openPipe(
        toSOCKS destination: JumpDestination, options: OriginRequest, on eventLoop: any EventLoop
    ) -> EventLoopFuture<ChannelPipe> {
        let target = OriginTarget(.tcp(host: destination.host, port: destination.port), scheme: "tcp")
        let denied = OriginError(.destinationDenied, "no rule in ipRules allows \(destination)")
        return connect(to: target, options: options, on: eventLoop, denied: denied) { address in
            address.ipAddress.map { options.ipRulesAllow($0, port: destination.port) } ?? false
        }.flatMapThrowing { try ChannelPipe.install(on: $0) }
    }

    /// A connected channel with `autoRead` off and nothing in its pipeline.
    ///
    /// - Parameters:
    ///   - denied: the error when no address may be dialled; nil says that of a bastion.
    ///   - permits: asked for every address; those refused are not dialled.
    func connect(
        to target: OriginTarget, options: OriginRequest, on eventLoop: any EventLoop, denied: OriginError? = nil,
        permits: (@Sendable (SocketAddress) -> Bool)? = nil
    ) -> EventLoopFuture<any Channel> {
        let deadline = NIODeadline.now() + TimeAmount(options.connectTimeout)
        let addresses = OriginResolver.addresses(of: target, on: eventLoop)
        let connected = addresses.flatMap { addresses -> EventLoopFuture<any Channel> in
            let usable = permits.map { addresses.filter($0) } ?? addresses
            guard !usable.isEmpty else {
                return eventLoop.makeFailedFuture(denied ?? Self.denied("\(target)", resolved: true))
            }
            return Self.connect(to: target, usable, options: options, deadline: deadline, on: eventLoop)
        }
        // The name look-up has no deadline of its own; whatever comes after ours is closed again.
        let promise = eventLoop.makePromise(of: (any Channel).self)
        let timer = eventLoop.scheduleTask(deadline: deadline) { promise.fail(OriginError.timedOut(target, nil)) }
        connected.whenComplete { result in
            timer.cancel()
            switch result {
            case .success(let channel):
                promise.succeed(channel)
                // When the deadline won, nobody has the channel: it must not linger.
                promise.futureResult.whenFailure { _ in channel.close(promise: nil) }
            case .failure(let error):
                promise.fail(OriginError.connecting(to: target, error))
            }
        }
        return promise.futureResult
    }

    private static func connect(
        to target: OriginTarget, _ addresses: [SocketAddress], options: OriginRequest, deadline: NIODeadline,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<any Channel> {
        var bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(max(deadline - .now(), .milliseconds(1)))
            .channelOption(.autoRead, value: false)
        switch target.address {
        case .unix:
            return bootstrap.connect(to: addresses[0])
        case .tcp(let host, let port):
            bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
            if options.tcpKeepAlive > .zero {
                let seconds = SocketOptionValue(clamping: max(options.tcpKeepAlive.components.seconds, 1))
                bootstrap =
                    bootstrap
                    .channelOption(.socketOption(.so_keepalive), value: 1)
                    .channelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: seconds)
                    .channelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: seconds)
            }
            // The race is harmless where noHappyEyeballs was set: addresses that fail are still followed by the next.
            if addresses.count == 1 { return bootstrap.connect(to: addresses[0]) }
            return bootstrap.resolver(KnownAddresses(eventLoop: eventLoop, addresses: addresses))
                .connect(host: host, port: port)
        }
    }

    // MARK: Bastion

    private static func destination(_ header: String?) throws -> JumpDestination {
        guard let header, !header.isEmpty else {
            throw OriginError(
                .destinationInvalid,
                "the client named no destination; give it --destination host:port, because this service is a bastion")
        }
        do {
            return try JumpDestination.parse(header)
        } catch {
            throw OriginError(.destinationInvalid, error.description)
        }
    }

    private static func judge(_ destination: JumpDestination, _ list: DestinationAllowList?) throws {
        guard let list, list.permits(host: destination.host, port: destination.port) else {
            throw denied("\(destination)", resolved: false)
        }
    }

    private static func denied(_ destination: String, resolved: Bool) -> OriginError {
        OriginError(
            .destinationDenied,
            resolved
                ? "none of the addresses of \(destination) is on the bastion's allow-list"
                : "the destination \(destination) is not on the bastion's allow-list; add it with --bastion-allow on the"
                    + " connector if it should be reachable")
    }

    /// What the destination most likely is, for the words of errors.
    private static func scheme(of header: String?, _ port: Int) -> String {
        if let header, let end = header.range(ofScheme: "://") { return header[..<end].lowercased() }
        return switch port {
        case 3389: "rdp"
        case 22: "ssh"
        case 445: "smb"
        default: "tcp"
        }
    }
}

extension String {
    /// Where the scheme of a URL ends.
    fileprivate func range(ofScheme separator: String) -> Index? {
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(separator) { return rest.startIndex }
            rest.removeFirst()
        }
        return nil
    }
}
