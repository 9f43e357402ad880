import Logging
import ServiceHost

/// From a decided plan to a running forwarder.
enum AccessStart {
    /// CONNECT HERE: the client room takes the plan. Until then this says so and does nothing else.
    static func start(_ plan: AccessPlan, _ context: CommandContext) async throws {
        throw CommandError(.failure, "the forwarder is not connected to this command yet")
    }
}
