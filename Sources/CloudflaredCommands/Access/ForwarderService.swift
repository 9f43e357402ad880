import AccessClient
import Logging
import NIOCore
import NIOPosix
import ServiceHost
import Synchronization

/// The daemon of a configuration file that has forwarders and no tunnel.
enum ForwarderService {
    private enum ReloadCause: String {
        case hangUp = "SIGHUP"
        case fileChanged = "the file changed"
    }

    /// Runs until a signal asks it to stop. A changed file, or SIGHUP, puts other forwarders in force.
    ///
    /// - Parameter plan: decides what the file in the context says.
    static func start<Command: CloudflaredCommand>(
        _ command: Command, _ context: CommandContext,
        plan: @escaping @Sendable (Command, CommandContext) throws -> [ForwarderConfiguration]
    ) async throws {
        let forwarders = LocalForwarders(logger: context.logger)
        let first = try plan(command, context)
        SocketAssignment.warn(context.sockets, unusedBy: first, context.logger)
        forwarders.replace(by: try forwarders.select(first))
        let notices = Notices()
        notices.tell { $0.started() }
        let signals = await ProcessSignals()
        let hangUps = await ProcessSignals(watching: [.hangUp])
        let reloads = AsyncStream.makeStream(of: ReloadCause.self, bufferingPolicy: .bufferingNewest(1))
        await withTaskGroup(of: Bool.self) { children in
            children.addTask {
                await forwarders.run { condition in
                    notices.tell { $0.changed(ready: condition.isSettled ? 1 : 0, status: condition.status) }
                }
                return true
            }
            children.addTask {
                guard let signal = await signals.firstStop() else { return false }
                context.logger.info("Stopping due to signal \(signal.name)")
                notices.tell { $0.stopRequested() }
                return true
            }
            children.addTask {
                for await _ in hangUps.events { reloads.continuation.yield(.hangUp) }
                return false
            }
            children.addTask {
                await watch(context) { reloads.continuation.yield(.fileChanged) }
                return false
            }
            children.addTask {
                for await cause in reloads.stream {
                    notices.tell { $0.reloadBegan() }
                    let refusal = reload(forwarders, because: cause, context, plan)
                    notices.tell { $0.reloadEnded(refusal: refusal) }
                }
                return false
            }
            children.addTask {
                await Watchdog(clock: ContinuousClock(), logger: context.logger).run {
                    for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() { try? await loop.submit {}.get() }
                } answered: { _, isInTime in
                    if isInTime { notices.tell { $0.probeAnswered() } }
                }
                return false
            }
            while let isOver = await children.next(), !isOver {}
            // Cancelling is the forwarders' graceful stop.
            children.cancelAll()
        }
    }

    private static func watch(_ context: CommandContext, changed: () -> Void) async {
        guard let watcher = context.configurationWatcher else { return }
        do {
            try await watcher.run {
                context.logger.debug("Watching the configuration file", metadata: ["path": "\(watcher.path)"])
            } changed: {
                changed()
            }
        } catch is CancellationError {
            // The end was asked for.
        } catch {
            context.logger.warning(
                "Changes of the configuration file are not noticed; send SIGHUP after them",
                metadata: ["error": "\(error)"])
        }
    }

    /// Returns why nothing changed, nil when the new forwarders are in force.
    private static func reload<Command: CloudflaredCommand>(
        _ forwarders: LocalForwarders, because cause: ReloadCause, _ context: CommandContext,
        _ plan: (Command, CommandContext) throws -> [ForwarderConfiguration]
    ) -> String? {
        do {
            guard let reading = try context.readAgain?(), let command = reading.command as? Command else { return nil }
            var context = context
            context.configuration = reading.configuration
            let selection = try forwarders.select(try plan(command, context))
            reading.warn(context.logger)
            if let level = command.loggingSetup.parsedLevel { context.logLevel.set(level) }
            forwarders.replace(by: selection)
            context.logger.info(
                "Configuration reloaded", metadata: ["cause": "\(cause.rawValue)", "forwarders": "\(selection.count)"])
            return nil
        } catch {
            context.logger.error(
                "The changed configuration cannot be used, the old one stays in force",
                metadata: ["cause": "\(cause.rawValue)", "error": "\(error)"])
            return "\(error)"
        }
    }

    /// What systemd hears, from several tasks, in the order in which it was decided.
    private final class Notices: Sendable {
        private let machine = Mutex(ServiceNotice.StateMachine(needed: 1, status: "Starting"))
        private let notifier = SystemdNotifier()
        /// Asked for with each sign of life while the start lasts.
        private static let timeToStart = Duration.seconds(60)

        func tell(_ event: (inout ServiceNotice.StateMachine) -> [ServiceNotice.StateMachine.Action]) {
            machine.withLock { machine in
                for action in event(&machine) {
                    switch action {
                    case .ready(let status): notifier.ready(status: status)
                    case .status(let status): notifier.status(status)
                    case .reloading: notifier.reloading()
                    case .stopping: notifier.stopping()
                    case .watchdog: notifier.watchdog()
                    case .extendTimeout: notifier.extendTimeout(by: Self.timeToStart)
                    }
                }
            }
        }
    }
}
