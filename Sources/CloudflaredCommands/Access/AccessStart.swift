import AccessClient
import Logging
import NIOCore
import ServiceHost

/// From a decided plan to a running forwarder.
enum AccessStart {
    /// Forwards until a signal stops it; in stdin mode until both directions have ended.
    static func start(_ plan: AccessPlan, _ context: CommandContext) async throws {
        let forwarder = Forwarder(try plan.forwarderConfiguration(context.environment), logger: context.logger)
        let signals = await ProcessSignals()
        // The forwarder ends gracefully when its task is cancelled, which is what the first signal does.
        try await withThrowingTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                try await forwarder.run()
                return true
            }
            tasks.addTask {
                _ = await signals.firstStop()
                return false
            }
            let endedByItself = try await tasks.next() ?? true
            tasks.cancelAll()
            guard !endedByItself else { return }
            do {
                try await tasks.waitForAll()
            } catch is CancellationError {
                // That is the end that was asked for.
            }
        }
    }
}

extension AccessPlan {
    /// The same for the client room.
    fileprivate func forwarderConfiguration(_ environment: [String: String]) throws -> ForwarderConfiguration {
        var configuration = ForwarderConfiguration(hostname: hostname, environment: environment)
        if case .listen(let address) = mode { configuration.listen = address }
        configuration.destination = destination
        configuration.headers = try ForwarderConfiguration.headers(
            fromFlags: headers.map { "\($0.name): \($0.value.exposed)" })
        configuration.serviceTokenID = serviceToken?.id
        configuration.serviceTokenSecret = serviceToken?.secret
        configuration.connectTo = try connectTo.map(ConnectTo.parse)
        configuration.authorityFiles = authorityFile.map { [$0] } ?? []
        configuration.linger = TimeAmount(linger)
        return configuration
    }
}
