/// One word of the command line that names a command, with what may stand behind it.
struct CommandNode: Sendable {
    enum Role: Sendable {
        /// Runs this command; containers with an action of their own have it too.
        case action(any CloudflaredCommand.Type)
        /// Needs one of its children.
        case container(any CloudflaredCommand.Type)
        /// Exists in the official client and not here; the text says what to do instead.
        case unavailable(String)
    }

    var name: String
    var aliases: [String] = []
    var role: Role
    /// Flags that this level defines.
    var flags: [FlagDefinition] = []
    /// Groups of flags that it takes from the outer levels.
    var takes: Set<FlagDefinition.Group> = []
    /// Whether the configuration file concerns it.
    var readsConfiguration = false
    /// Whether everything behind its word is for another program, flags included.
    var passesArgumentsOn = false
    var children: [CommandNode] = []

    func child(named word: String) -> CommandNode? {
        children.first { $0.name == word || $0.aliases.contains(word) }
    }
}

/// The command tree. What is not built yet answers with an error that says so. Source: cli-and-config.md section 1.6.
enum CommandTree {
    static let root = CommandNode(
        name: "cloudflared", role: .action(TunnelCommand.self), flags: TunnelFlags.shared, takes: connectorGroups,
        readsConfiguration: true,
        children: [
            CommandNode(
                name: "version", role: .action(VersionCommand.self), flags: [FlagDefinition("short", "s", kind: .bool)]),
            tunnel, access, login,
            update, service, tail, management,
        ] + removed)

    private static let connectorGroups: Set<FlagDefinition.Group> = [
        .logging, .account, .configuration, .host, .origin, .connector, .credentials, .classic, .ignored,
    ]
    static let accountGroups: Set<FlagDefinition.Group> = [.logging, .account, .configuration]

    // MARK: tunnel

    static let tunnel = CommandNode(
        name: "tunnel", role: .action(TunnelCommand.self), flags: TunnelFlags.shared, takes: connectorGroups,
        readsConfiguration: true,
        children: [
            CommandNode(
                name: "run", role: .action(RunCommand.self), flags: TunnelFlags.run, takes: connectorGroups,
                readsConfiguration: true),
            account(
                "create", CreateCommand.self,
                [
                    output, credentialsFile,
                    FlagDefinition("secret", "s", environment: ["TUNNEL_CREATE_SECRET"], isSecret: true),
                ]),
            account("list", ListCommand.self, listFlags),
            account("info", InfoCommand.self, infoFlags),
            account("delete", DeleteCommand.self, [credentialsFile, force]),
            account("token", TokenCommand.self, [credentialsFile]),
            account(
                "cleanup", CleanupCommand.self,
                [FlagDefinition("connector-id", "c", environment: ["TUNNEL_CLEANUP_CONNECTOR"])]),
            route,
            CommandNode(
                name: "ready", role: .action(ReadyCommand.self), takes: [.logging, .host, .configuration],
                readsConfiguration: true),
            ingress, login, virtualNetworks, diagnosis,
        ] + removed)

    static let output = FlagDefinition("output", "o")
    /// As on `tunnel`, but never from the configuration file.
    private static let credentialsFile = FlagDefinition(
        "credentials-file", "cred-file", environment: ["TUNNEL_CRED_FILE"])
    private static let force = FlagDefinition("force", "f", kind: .bool, environment: ["TUNNEL_RUN_FORCE_OVERWRITE"])

    private static let listFlags = [
        output, FlagDefinition("show-deleted", "d", kind: .bool), FlagDefinition("name", "n"),
        FlagDefinition("name-prefix", "np"), FlagDefinition("exclude-name-prefix", "enp"), FlagDefinition("when", "w"),
        FlagDefinition("id", "i"), FlagDefinition("show-recently-disconnected", "rd", kind: .bool),
        FlagDefinition("sort-by", environment: ["TUNNEL_LIST_SORT_BY"]),
        FlagDefinition("invert-sort", kind: .bool, environment: ["TUNNEL_LIST_INVERT_SORT"]),
    ]

    private static let infoFlags = [
        output, FlagDefinition("show-recently-disconnected", "rd", kind: .bool),
        FlagDefinition("sort-by", environment: ["TUNNEL_INFO_SORT_BY"]),
        FlagDefinition("invert-sort", kind: .bool, environment: ["TUNNEL_INFO_INVERT_SORT"]),
    ]

    private static let ingress = CommandNode(
        name: "ingress", role: .container(IngressCommand.self), takes: [.logging, .configuration, .origin],
        readsConfiguration: true,
        children: [
            CommandNode(
                name: "validate", role: .action(IngressValidateCommand.self),
                flags: [FlagDefinition("json", "j", environment: ["TUNNEL_INGRESS_VALIDATE_JSON"])],
                takes: [.logging, .configuration]),
            CommandNode(
                name: "rule", role: .action(IngressRuleCommand.self), takes: [.logging, .configuration]),
        ])

    /// A command that asks the account API.
    static func account(
        _ name: String, _ command: any CloudflaredCommand.Type, _ flags: [FlagDefinition]
    ) -> CommandNode {
        CommandNode(name: name, role: .action(command), flags: flags, takes: accountGroups, readsConfiguration: true)
    }

    /// `login` and `tunnel login` are the same. Source: access-protocol.md section 4; the last two are ours.
    private static let login = CommandNode(
        name: "login", role: .action(LoginCommand.self),
        flags: [
            FlagDefinition("loginURL"), FlagDefinition("callbackURL"), FlagDefinition("fedramp", "f", kind: .bool),
            FlagDefinition("access-store-url", environment: ["TUNNEL_ACCESS_STORE_URL"]),
            FlagDefinition("cacert", environment: ["TUNNEL_ACCESS_CA", "TUNNEL_CACERT"]),
        ], takes: [.logging, .configuration], readsConfiguration: true)

    // MARK: access

    static let access = CommandNode(
        name: "access", aliases: ["forward"], role: .container(AccessCommand.self), flags: loginFlags,
        takes: [.logging, .login],
        children: [
            CommandNode(
                name: "tcp", aliases: ["rdp", "ssh", "smb"], role: .action(ForwardCommand.self), flags: forwardFlags,
                takes: [.logging, .login]),
            CommandNode(
                name: "login", role: .action(AccessLoginCommand.self),
                flags: [
                    FlagDefinition("quiet", "q", kind: .bool), FlagDefinition("no-verbose", kind: .bool),
                    FlagDefinition("auto-close", kind: .bool), FlagDefinition("app"),
                ], takes: [.logging, .login]),
            CommandNode(
                name: "token", role: .action(AccessTokenCommand.self), flags: [FlagDefinition("app")],
                takes: [.logging, .login]),
            CommandNode(
                name: "curl", role: .action(CurlCommand.self), takes: [.logging, .login], passesArgumentsOn: true),
            CommandNode(
                name: "ssh-config", role: .action(SSHConfigCommand.self),
                flags: [FlagDefinition("hostname"), FlagDefinition("short-lived-cert", kind: .bool)],
                takes: [.logging]),
            CommandNode(
                name: "ssh-gen", role: .action(SSHGenCommand.self), flags: [FlagDefinition("hostname")],
                takes: [.logging, .login]),
        ])

    /// On `access`, and behind each of its commands; all but the first are ours.
    private static let loginFlags = [
        login("fedramp", .bool), login("auth-domain", .list, "TUNNEL_ACCESS_AUTH_DOMAINS"),
        login("access-store-url", .string, "TUNNEL_ACCESS_STORE_URL"),
        login("cacert", .string, "TUNNEL_ACCESS_CA", "TUNNEL_CACERT"),
    ]

    private static func login(_ name: String, _ kind: FlagDefinition.Kind, _ environment: String...) -> FlagDefinition {
        FlagDefinition(
            names: [name], id: nil, kind: kind, environment: environment, group: .login, isConfigurable: false,
            isSecret: false)
    }

    /// Source: access-protocol.md section 1.2; the last three are ours.
    private static let forwardFlags = [
        FlagDefinition("hostname", "tunnel-host", "T", environment: ["TUNNEL_SERVICE_HOSTNAME"]),
        FlagDefinition("destination", environment: ["TUNNEL_SERVICE_DESTINATION"]),
        FlagDefinition("url", "listener", "L", environment: ["TUNNEL_SERVICE_URL"]),
        FlagDefinition("header", "H", kind: .list),
        FlagDefinition("service-token-id", "id", environment: ["TUNNEL_SERVICE_TOKEN_ID"]),
        FlagDefinition(
            "service-token-secret", "secret", environment: ["TUNNEL_SERVICE_TOKEN_SECRET"], isSecret: true),
        FlagDefinition("log-level", "loglevel", id: "loglevel"),
        FlagDefinition("logfile"), FlagDefinition("log-directory"),
        FlagDefinition("forward", kind: .list),
        FlagDefinition("connect-to"), FlagDefinition("debug-stream", kind: .unsigned),
        FlagDefinition("service-token-file", environment: ["TUNNEL_SERVICE_TOKEN_FILE"]),
        FlagDefinition("desktop-entry", kind: .bool), FlagDefinition("linger", kind: .duration),
    ]

    // MARK: service

    static let service = CommandNode(
        name: "service", role: .container(ServiceCommand.self), takes: [.configuration],
        children: [
            CommandNode(
                name: "install", role: .action(ServiceInstallCommand.self),
                flags: [
                    FlagDefinition("token-file", environment: ["TUNNEL_TOKEN_FILE"]),
                    FlagDefinition("no-start", kind: .bool), FlagDefinition("no-update-service", kind: .bool),
                    FlagDefinition("name"), FlagDefinition("root"),
                ], takes: [.configuration]),
            CommandNode(
                name: "uninstall", role: .action(ServiceUninstallCommand.self),
                flags: [FlagDefinition("purge", kind: .bool), FlagDefinition("name"), FlagDefinition("root")],
                takes: [.configuration]),
        ])

    // MARK: Removed

    private static let removed = [
        CommandNode(
            name: "proxy-dns",
            role: .unavailable("'proxy-dns' was removed from cloudflared; run a DNS resolver of its own")),
        CommandNode(
            name: "db-connect", role: .unavailable("'db-connect' was removed from cloudflared; use 'access tcp'")),
    ]
}
