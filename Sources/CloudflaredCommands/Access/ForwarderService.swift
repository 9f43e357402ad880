import AccessClient
import Logging
import ServiceHost

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
        let notifier = SystemdNotifier()
        let signals = await ProcessSignals()
        let hangUps = await ProcessSignals(watching: [.hangUp])
        let reloads = AsyncStream.makeStream(of: ReloadCause.self, bufferingPolicy: .bufferingNewest(1))
        await withTaskGroup(of: Bool.self) { children in
            children.addTask {
                await forwarders.run { if $0.isSettled { notifier.ready(status: $0.status) } }
                return true
            }
            children.addTask {
                guard let signal = await signals.firstStop() else { return false }
                context.logger.info("Stopping due to signal \(signal.name)")
                notifier.stopping()
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
                    notifier.reloading()
                    let status = reload(forwarders, because: cause, context, plan)
                    notifier.ready(status: status)
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

    /// Returns what to tell about it.
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
            return "The old configuration serves: \(error)"
        }
    }
}
