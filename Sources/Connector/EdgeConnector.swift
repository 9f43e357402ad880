import EdgeTransport
import Logging
import NIOCore
import NIOSSL

/// One attempt at a connection, as the ConnectionManager asks for it.
struct ConnectionAttempt: Sendable {
    var index: UInt8
    var edge: EdgeEndpoint
    var previousAttempts: UInt8
    /// Opens when the connection is to end gracefully.
    var draining: Gate
    /// What happens to the host and to the configuration meanwhile.
    var news: AttemptNews
    /// Whether such a change makes a dial start over.
    var startsOver: Bool
    var report: @Sendable (ConnectionEvent) -> Void
}

/// What happens while connections live. Take the `next` of each before looking at what they tell of.
struct AttemptNews: Sendable {
    /// Beats when the host's network changed, or the host slept.
    let changes = Pulse()
    /// Beats before `changes` does when the host slept.
    let resumptions = Pulse()
    /// Beats when another configuration is in force.
    let configurations = Pulse()
}

/// Makes attempts over the real network: dial, register, serve. A value; each session lives for one call.
struct EdgeConnector: Sendable {
    let configuration: ConnectorConfiguration
    let tls: NIOSSLContext
    let proxy: StreamProxy
    let group: any EventLoopGroup
    let logger: Logger

    private enum Note: Sendable {
        case ended(SessionEnd)
        case drainBegan
        /// The dial began on another network.
        case dialIsStale
        /// The answer to a cancellation, which whoever cancelled has already acted on.
        case over
    }

    /// Serves until the connection is over.
    ///
    /// - Throws: `LinkError` when no link came about.
    func connect(_ attempt: ConnectionAttempt) async throws -> SessionEnd {
        var logger = logger
        logger[metadataKey: "connIndex"] = "\(attempt.index)"
        logger[metadataKey: "event"] = "0"
        logger[metadataKey: "ip"] = "\(attempt.edge.host)"
        let session = TunnelSession(
            plan: configuration.plan(index: attempt.index, previousAttempts: attempt.previousAttempts, tls: tls),
            proxy: proxy, on: group.next(), logger: logger, report: attempt.report)
        return try await withThrowingTaskGroup(of: Note.self) { tasks in
            tasks.addTask { .ended(try await session.run(attempt.edge)) }
            tasks.addTask {
                await attempt.draining.wait()
                if attempt.draining.isOpen { await session.drain() }
                return .drainBegan
            }
            tasks.addTask { await Self.followChanges(attempt, session) }
            tasks.addTask { await Self.followConfiguration(attempt, session) }
            defer { tasks.cancelAll() }
            while let note = try await tasks.next() {
                switch note {
                case .ended(let end): return end
                case .over: break
                case .drainBegan: if await session.isDialing { tasks.cancelAll() }
                case .dialIsStale:
                    tasks.cancelAll()
                    throw LinkError(.networkChanged, "the network changed while the edge was dialled")
                }
            }
            return .drained
        }
    }

    /// Tells the session of changes, until cancelled or until its dial has to start over.
    private static func followChanges(_ attempt: ConnectionAttempt, _ session: TunnelSession) async -> Note {
        var (change, resumption) = (attempt.news.changes.next, attempt.news.resumptions.next)
        while true {
            await change.wait()
            guard !Task.isCancelled else { return .over }
            let slept = resumption.isOpen
            (change, resumption) = (attempt.news.changes.next, attempt.news.resumptions.next)
            if await session.networkChanged(slept: slept), attempt.startsOver { return .dialIsStale }
        }
    }

    /// Tells the session of another configuration, until cancelled.
    private static func followConfiguration(_ attempt: ConnectionAttempt, _ session: TunnelSession) async -> Note {
        var change = attempt.news.configurations.next
        while true {
            await change.wait()
            guard !Task.isCancelled else { return .over }
            change = attempt.news.configurations.next
            await session.configurationChanged()
        }
    }
}
