/// Routes of tunnels. Source: cli-and-config.md section 1.6.
extension CommandTree {
    static let route = CommandNode(
        name: "route", role: .container(RouteCommand.self), takes: accountGroups, readsConfiguration: true,
        children: [
            account(
                "dns", RouteDNSCommand.self,
                [
                    FlagDefinition(
                        "overwrite-dns", "f", kind: .bool, environment: ["TUNNEL_FORCE_PROVISIONING_DNS"])
                ]),
            account("lb", RouteLoadBalancerCommand.self, []),
            CommandNode(
                name: "ip", role: .container(RouteIPCommand.self), takes: accountGroups, readsConfiguration: true,
                children: [
                    account("add", RouteIPAddCommand.self, [virtualNetwork]),
                    showRoutes,
                    account("delete", RouteIPDeleteCommand.self, [virtualNetwork]),
                    account("get", RouteIPGetCommand.self, [virtualNetwork]),
                ]),
        ])

    private static let virtualNetwork = FlagDefinition("vnet", "vn")

    private static let showRoutes: CommandNode = {
        var node = account(
            "show", RouteIPShowCommand.self,
            [
                FlagDefinition("filter-is-deleted", kind: .bool), FlagDefinition("filter-tunnel-id"),
                FlagDefinition("filter-network-is-subset-of", "nsub"),
                FlagDefinition("filter-network-is-superset-of", "nsup"), FlagDefinition("filter-comment-is"),
                FlagDefinition("filter-vnet-id"), output,
            ])
        node.aliases = ["list"]
        return node
    }()

    static let virtualNetworks = CommandNode(
        name: "vnet", role: .container(VirtualNetworkCommand.self), takes: accountGroups, readsConfiguration: true,
        children: [
            account("add", VirtualNetworkAddCommand.self, [FlagDefinition("default", "d", kind: .bool)]),
            account(
                "list", VirtualNetworkListCommand.self,
                [
                    FlagDefinition("id"), FlagDefinition("name"), FlagDefinition("is-default", kind: .bool),
                    FlagDefinition("show-deleted", kind: .bool), output,
                ]),
            account("delete", VirtualNetworkDeleteCommand.self, [FlagDefinition("force", "f", kind: .bool)]),
            account(
                "update", VirtualNetworkUpdateCommand.self,
                [
                    FlagDefinition("name", "n"), FlagDefinition("comment", "c"),
                    FlagDefinition("default", "d", kind: .bool),
                ]),
        ])
}
