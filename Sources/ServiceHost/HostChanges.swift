package import Logging
package import NIOCore

/// What happened to this host that a connection may not have survived.
package enum HostChange: Sendable, Equatable, CustomStringConvertible {
    /// An interface, an address or a route came or went.
    case network
    /// The host, or this process, stood still for about this long.
    case resumed(after: Duration)

    package var description: String {
        switch self {
        case .network: "network"
        case .resumed(let gap): "resumed after \(gap)"
        }
    }
}

/// Watches this host for changes of its network and for sleep. Lives for one `run`.
package struct HostChanges: Sendable {
    /// Between two reports of the same kind, so that an interface that comes and goes makes nobody spin.
    static let pause = Duration.milliseconds(500)
    /// Between two looks at the clocks.
    static let look = Duration.seconds(3)
    /// Before a netlink socket that broke is opened again.
    static let reopen = Duration.seconds(1)

    private let group: any EventLoopGroup
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let clocks: @Sendable () -> ClockReading
    private let open: @Sendable (any EventLoop) async throws -> NetlinkSocket

    package init(group: any EventLoopGroup, clock: any Clock<Duration>, logger: Logger) {
        self.init(
            group: group, clock: clock, logger: logger, clocks: { ClockReading.now },
            open: { try await NetlinkSocket.open(on: $0) })
    }

    init(
        group: any EventLoopGroup, clock: any Clock<Duration>, logger: Logger,
        clocks: @escaping @Sendable () -> ClockReading,
        open: @escaping @Sendable (any EventLoop) async throws -> NetlinkSocket
    ) {
        self.group = group
        self.clock = clock
        self.logger = logger
        self.clocks = clocks
        self.open = open
    }

    /// Reports until cancelled. What cannot be watched is logged once and does without.
    package func run(_ report: @escaping @Sendable (HostChange) -> Void) async {
        await withTaskGroup { tasks in
            tasks.addTask { await watchNetwork(report) }
            tasks.addTask { await watchClocks(report) }
        }
    }

    private func watchNetwork(_ report: @Sendable (HostChange) -> Void) async {
        while !Task.isCancelled {
            let socket: NetlinkSocket
            do {
                socket = try await open(group.next())
            } catch {
                logger.warning(
                    "Network changes cannot be watched; a lost connection is noticed by its silence",
                    metadata: ["error": "\(error)"])
                return
            }
            for await _ in socket.changes {
                report(.network)
                // What comes meanwhile is one change more, told after the pause.
                try? await clock.sleep(for: Self.pause)
            }
            socket.close()
            guard !Task.isCancelled else { return }
            // The kernel had more to tell than we read.
            report(.network)
            try? await clock.sleep(for: Self.reopen)
        }
    }

    private func watchClocks(_ report: @Sendable (HostChange) -> Void) async {
        var gaps = ClockGap(expected: Self.look, start: clocks())
        while !Task.isCancelled {
            do { try await clock.sleep(for: Self.look) } catch { return }
            if let gap = gaps.looked(clocks()) { report(.resumed(after: gap)) }
        }
    }
}
