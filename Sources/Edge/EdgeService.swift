package import Logging
package import NIOCore
import ServiceHost

/// The edge as a service: tells systemd how things are, puts changed certificates in force, and ends it all.
///
/// Lives for one `run`, which owns the server, the watch over its files, the watchdog and the reports between them.
/// Cancelling `run` ends at once; `stop` ends gracefully.
package actor EdgeService {
    private let server: EdgeServer
    private let source: EdgeSource?
    private let drain: Duration
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let notifier = SystemdNotifier()
    private var notice = ServiceNotice.StateMachine(needed: 1, status: "Starting")
    private var addresses = ""
    private var census = TunnelRegistry.Census()
    /// Why the files are to be read again. While they are read, one more reason is kept: they are read once more.
    private let reloads = AsyncStream.makeStream(of: ReloadCause.self, bufferingPolicy: .bufferingNewest(1))

    /// Why the files are read again.
    package enum ReloadCause: String, Sendable {
        case hangUp = "SIGHUP"
        case fileChanged = "a file changed"
    }

    /// - Parameters:
    ///   - source: where a reload finds the certificates; nil for none.
    ///   - drain: how long running requests may go on after `stop`.
    package init(
        server: EdgeServer, source: EdgeSource?, drain: TimeAmount, clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger
    ) {
        self.server = server
        self.source = source
        self.drain = Duration.nanoseconds(drain.nanoseconds)
        self.clock = clock
        self.logger = logger
    }

    /// Begins the graceful end; `run` returns when the last visitor is served, or the time for that is up.
    package func stop() {
        perform(notice.stopRequested())
        server.drain()
    }

    /// Reads the certificates again, soon.
    package nonisolated func reload(because cause: ReloadCause) {
        reloads.continuation.yield(cause)
    }

    /// Serves until stopped or cancelled.
    ///
    /// - Parameter listening: called when both listeners are bound.
    /// - Throws: what `EdgeServer.run` throws.
    package func run(listening: @escaping @Sendable (EdgeServer.Listening) async throws -> Void) async throws {
        perform(notice.started())
        try await withThrowingTaskGroup(of: Bool.self) { children in
            children.addTask { [server] in
                try await server.run { addresses in
                    try await listening(addresses)
                    await self.listens(addresses)
                }
                return true
            }
            children.addTask {
                await self.followCensus()
                return false
            }
            children.addTask {
                await self.followReloads()
                return false
            }
            children.addTask {
                await self.keepProbing()
                return false
            }
            while let hasEnded = try await children.next(), !hasEnded {}
            children.cancelAll()
        }
    }

    // MARK: Reports

    private func listens(_ listening: EdgeServer.Listening) {
        addresses = "visitors on \(listening.https), connectors on \(listening.tunnel)"
        tell()
    }

    private func followCensus() async {
        for await census in server.censuses {
            self.census = census
            if !addresses.isEmpty { tell() }
        }
    }

    private func tell() {
        perform(notice.changed(ready: 1, status: "\(census.text); \(addresses)"))
    }

    private func perform(_ actions: [ServiceNotice.StateMachine.Action]) {
        for action in actions {
            switch action {
            case .ready(let status): notifier.ready(status: status)
            case .status(let status): notifier.status(status)
            case .reloading: notifier.reloading()
            case .stopping: notifier.stopping(within: drain + Self.timeToEnd)
            case .watchdog: notifier.watchdog()
            case .extendTimeout: notifier.extendTimeout(by: Self.timeToStart)
            }
        }
    }

    /// Asked for with each sign of life while the start lasts.
    private static let timeToStart: Duration = .seconds(60)
    /// From the last visitor's end to the end of the process.
    private static let timeToEnd: Duration = .seconds(10)

    // MARK: Reload

    /// Watches the files, those too that are named later, and reads them again when it is time.
    private func followReloads() async {
        guard let source else { return }
        var watched = Set(source.files.watchers.map(\.path))
        await withDiscardingTaskGroup { group in
            for watcher in source.files.watchers { group.addTask { await self.follow(watcher) } }
            for await cause in reloads.stream {
                perform(notice.reloadBegan())
                let (reading, refusal) = await reload(from: source, because: cause)
                perform(notice.reloadEnded(refusal: refusal))
                for watcher in reading?.files.watchers ?? [] where watched.insert(watcher.path).inserted {
                    group.addTask { await self.follow(watcher) }
                }
            }
            group.cancelAll()
        }
    }

    private nonisolated func follow(_ watcher: FileWatcher) async {
        do {
            try await watcher.run { [logger] in
                logger.debug("Watching a file", metadata: ["path": "\(watcher.path)"])
            } changed: {
                reload(because: .fileChanged)
            }
        } catch is CancellationError {
            // The owner asked for the end.
        } catch {
            logger.warning(
                "Changes of a file are not noticed; send SIGHUP after them",
                metadata: ["path": "\(watcher.path)", "error": "\(error)"])
        }
    }

    /// Returns what was read and is in force now, or why nothing changed.
    private func reload(
        from source: EdgeSource, because cause: ReloadCause
    ) async -> (reading: EdgeSource.Reading?, refusal: String?) {
        do {
            let reading = try await Self.read(source)
            server.certificates.replace(by: reading.certificates)
            logger.info("Certificates reloaded", metadata: ["cause": "\(cause.rawValue)"])
            if !reading.needsRestart.isEmpty {
                logger.warning(
                    "Some changed settings count only after a restart",
                    metadata: ["settings": "\(reading.needsRestart.joined(separator: ", "))"])
            }
            return (reading, nil)
        } catch {
            logger.error(
                "The changed files cannot be used, the old certificates stay in force",
                metadata: ["cause": "\(cause.rawValue)", "error": "\(error)"])
            return (nil, "\(error)")
        }
    }

    /// Away from the actor: a slow disk must not keep it.
    @concurrent
    private static func read(_ source: EdgeSource) async throws -> EdgeSource.Reading {
        try source.read()
    }

    // MARK: Watchdog

    /// Asks this actor, the server, its registry and every event loop.
    private nonisolated func keepProbing() async {
        await Watchdog(clock: clock, logger: logger).run {
            await answerProbe()
            await server.probe()
        } answered: { _, isInTime in
            if isInTime { await probeAnswered() }
        }
    }

    private func answerProbe() {}

    private func probeAnswered() {
        perform(notice.probeAnswered())
    }
}

/// Where a running edge finds its certificates again.
package struct EdgeSource: Sendable {
    /// What was found, checked as at a start.
    package struct Reading: Sendable {
        package var certificates: EdgeCertificates.Pair
        /// The files it was found in.
        package var files: WatchedFiles
        /// Settings that differ from those of the start and count only after the next one.
        package var needsRestart: [String]

        package init(certificates: EdgeCertificates.Pair, files: WatchedFiles, needsRestart: [String]) {
            self.certificates = certificates
            self.files = files
            self.needsRestart = needsRestart
        }
    }

    /// The files it was started from.
    package var files: WatchedFiles
    /// Reads and checks everything again; nothing is in force yet. Throws what tells a person the file and the reason.
    package var read: @Sendable () throws -> Reading

    package init(files: WatchedFiles, read: @escaping @Sendable () throws -> Reading) {
        self.files = files
        self.read = read
    }
}

/// Files to watch, remembered as they are when this is made: make it before they are read, so that no change falls between.
package struct WatchedFiles: Sendable {
    let watchers: [FileWatcher]

    package init(_ paths: Set<String>) {
        watchers = paths.map { FileWatcher(path: $0) }
    }
}
