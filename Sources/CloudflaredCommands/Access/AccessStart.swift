import AccessClient
import Logging
import ServiceHost

/// From a decided configuration to a running forwarder.
enum AccessStart {
    /// Runs until a signal asks it to stop, or, with standard input and output, until the stream has ended.
    static func start(_ configuration: ForwarderConfiguration, _ context: CommandContext) async throws {
        let forwarder = Forwarder(configuration, logger: context.logger)
        let signals = await ProcessSignals()
        try await withThrowingTaskGroup(of: Void.self) { children in
            children.addTask { try await forwarder.run() }
            children.addTask {
                if let signal = await signals.firstStop() {
                    context.logger.info("Stopping due to signal \(signal.name)")
                }
            }
            try await children.next()
            // Cancelling is the forwarder's graceful stop.
            children.cancelAll()
            do {
                try await children.waitForAll()
            } catch is CancellationError {}
        }
    }
}
