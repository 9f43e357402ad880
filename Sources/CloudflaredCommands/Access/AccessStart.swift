import AccessClient
import Logging
import ServiceHost

/// From decided configurations to running forwarders.
enum AccessStart {
    /// Runs until a signal asks it to stop, or, with standard input and output, until the stream has ended.
    static func start(_ plans: [ForwarderConfiguration], _ context: CommandContext) async throws {
        var configurations = plans
        try SocketAssignment.assign(context.sockets, to: &configurations, takingOnly: true)
        SocketAssignment.warn(context.sockets, unusedBy: configurations, context.logger)
        let forwarders = ForwarderGroup(configurations, logger: context.logger)
        let status = "Forwarding \(configurations.count) local address(es)"
        let notifier = SystemdNotifier()
        let signals = await ProcessSignals()
        try await withThrowingTaskGroup(of: Void.self) { children in
            children.addTask {
                try await forwarders.run {
                    notifier.ready(status: status)
                }
            }
            children.addTask {
                if let signal = await signals.firstStop() {
                    context.logger.info("Stopping due to signal \(signal.name)")
                    notifier.stopping()
                }
            }
            try await children.next()
            // Cancelling is the forwarders' graceful stop.
            children.cancelAll()
            do {
                try await children.waitForAll()
            } catch is CancellationError {}
        }
    }
}
