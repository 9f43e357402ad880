import AccessClient
import ServiceHost
import TunnelConfig

/// The `forwarders` of a configuration file in the access client's own terms.
enum ForwarderPlans {
    /// - Throws: ``CommandError`` or ``HostError`` for a service token that cannot be used; the entry is named.
    static func configurations(
        of entries: [ForwarderEntry], _ context: CommandContext
    ) throws -> [ForwarderConfiguration] {
        let settings = LoginSettings(context)
        var plans = try entries.map { entry in
            var plan = ForwarderConfiguration(
                hostname: entry.hostname, listen: entry.listener, environment: context.environment)
            plan.destination = entry.destination
            plan.authorityFiles = entry.caPool.map { [context.path($0)] } ?? []
            plan.login = try settings.login(
                context, authorityFiles: plan.authorityFiles, presenter: LoggedPrompt(logger: context.logger))
            do {
                let token = try ServiceToken.given(
                    id: entry.serviceTokenID, secret: entry.serviceTokenSecret, file: entry.serviceTokenFile, context)
                plan.serviceTokenID = token?.id
                plan.serviceTokenSecret = token?.secret
            } catch {
                throw CommandError(
                    .configuration, "the forwarder \(entry) has no usable service token", cause: error)
            }
            return plan
        }
        try SocketAssignment.assign(context.sockets, to: &plans)
        return plans
    }
}
