/// Commands around a running connector, and its updates. Source: cli-and-config.md sections 1.6, 7.4, 8.1 and 8.3.
extension CommandTree {
    static let update = CommandNode(
        name: "update", role: .action(UpdateCommand.self),
        flags: [
            FlagDefinition("beta", kind: .bool), FlagDefinition("version"), FlagDefinition("force", kind: .bool),
            FlagDefinition("staging", kind: .bool),
        ])

    static let tail = CommandNode(
        name: "tail",
        role: .unavailable(
            "'tail' is not in this version; read the log of the connector instead: journalctl -u cloudflared"),
        flags: [
            FlagDefinition("connector-id", environment: ["TUNNEL_MANAGEMENT_CONNECTOR"]),
            FlagDefinition("event", kind: .list, environment: ["TUNNEL_MANAGEMENT_FILTER_EVENTS"]),
            FlagDefinition("level", environment: ["TUNNEL_MANAGEMENT_FILTER_LEVEL"]),
            FlagDefinition("sample", environment: ["TUNNEL_MANAGEMENT_FILTER_SAMPLE"]),
            FlagDefinition("token", environment: ["TUNNEL_MANAGEMENT_TOKEN"], isSecret: true),
            FlagDefinition("management-hostname", environment: ["TUNNEL_MANAGEMENT_HOSTNAME"]),
            FlagDefinition("trace"),
        ] + tokenFlags, takes: accountGroups,
        children: [
            CommandNode(
                name: "token", role: .action(TailTokenCommand.self), flags: tokenFlags, takes: accountGroups,
                readsConfiguration: true)
        ])

    static let management = CommandNode(
        name: "management", role: .container(ManagementCommand.self),
        children: [
            CommandNode(
                name: "token", role: .action(ManagementTokenCommand.self),
                flags: [FlagDefinition("resource")] + tokenFlags, takes: accountGroups, readsConfiguration: true)
        ])

    /// As on `tunnel`, but never from the configuration file.
    private static let tokenFlags = [
        FlagDefinition("origincert", environment: ["TUNNEL_ORIGIN_CERT"]),
        FlagDefinition("loglevel", environment: ["TUNNEL_LOGLEVEL"]),
        FlagDefinition("output", environment: ["TUNNEL_MANAGEMENT_OUTPUT", "TUNNEL_LOG_OUTPUT"], id: "log-output"),
    ]

    static let diagnosis = CommandNode(
        name: "diag",
        role: .unavailable(
            "'diag' is not in this version; ask the running connector instead: cloudflared tunnel ready, and its "
                + "--metrics address"),
        flags: [
            FlagDefinition("metrics"), FlagDefinition("diag-container-id"), FlagDefinition("diag-pod-id"),
            FlagDefinition("no-diag-logs", kind: .bool), FlagDefinition("no-diag-metrics", kind: .bool),
            FlagDefinition("no-diag-system", kind: .bool), FlagDefinition("no-diag-runtime", kind: .bool),
            FlagDefinition("no-diag-network", kind: .bool),
        ])
}
