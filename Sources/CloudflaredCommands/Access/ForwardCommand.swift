import AccessClient
import ArgumentParser
import Logging
import NIOCore
import ServiceHost
import TunnelConfig

/// `access tcp`, and by the same code `rdp`, `ssh` and `smb`. Source: access-protocol.md sections 1.2 and 1.4.
struct ForwardCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "tcp", abstract: "Forward a local port, or standard input and output, to a service.",
        discussion: """
            cloudflared access rdp --hostname rdp.example.com --url localhost:2244
            Without --url it forwards standard input and output, as ProxyCommand of ssh wants it; started by a socket \
            unit of systemd, it takes that socket.
            """)

    @Argument(help: "Local address to listen on, instead of --url.")
    var listener: String?

    @Option(help: "Host name of the service; may be a URL.")
    var hostname: String?

    @Option(help: "Where a bastion connects to, such as rdpserver:3389.")
    var destination: String?

    @Option(help: "Local address to listen on, such as localhost:2244.")
    var url: String?

    @Option(
        help: ArgumentHelp(
            "Forward a local address to a service, instead of --hostname and --url. Repeat it for several.",
            valueName: "listen=host[,destination]"))
    var forward: [String] = []

    @Option(help: "Further request header, 'Name: value' (-H). Repeat it for several.")
    var header: [String] = []

    @Option(help: "Client ID of a service token.")
    var serviceTokenID: String?

    @Option(help: "Client secret of a service token. Prefer --service-token-file.")
    var serviceTokenSecret: String?

    @Option(
        help: ArgumentHelp(
            "File with a service token: its two header lines, JSON, or the secret alone beside --service-token-id.",
            valueName: "file"), completion: .file())
    var serviceTokenFile: String?

    @Option(
        name: [.customLong("loglevel")],
        help: "Lowest level that is logged: trace, debug, info, warn, error or fatal (--log-level).",
        completion: .list(logLevels))
    var level = "info"

    @Option(help: ArgumentHelp("Also append JSON lines to this file.", valueName: "file"), completion: .file())
    var logfile: String?

    @Option(
        help: ArgumentHelp("Also log to cloudflared.log in this directory.", valueName: "directory"),
        completion: .directory)
    var logDirectory: String?

    @Option(help: .hidden)
    var logOutput = "default"

    @OptionGroup(title: "Login") var login: LoginOptions

    @Option(help: "How long to wait for the rest of the download after the local side ended (5s).")
    var linger: DurationArgument?

    @Flag(help: "Write a desktop shortcut for this command, and end.")
    var desktopEntry = false

    @Option(help: .hidden)
    var connectTo: String?

    @Option(help: .hidden)
    var debugStream: Int?

    private var hasListenAddress: Bool { url != nil || listener != nil }
    private var isListening: Bool { hasListenAddress || !forward.isEmpty }

    var loggingSetup: LoggingSetup {
        // In stdin mode standard error belongs to the parent. Unlike the official client we do log with a positional
        // address.
        let console = LoggingSetup.ConsoleOutput(rawValue: logOutput) ?? .default
        return LoggingSetup(
            level: level, output: isListening || desktopEntry ? console : .none, file: logfile, directory: logDirectory)
    }

    func loggingSetup(with sockets: [InheritedSocket]) -> LoggingSetup {
        var setup = loggingSetup
        // It listens there then, and standard error is its own.
        if !sockets.isEmpty { setup.output = LoggingSetup.ConsoleOutput(rawValue: logOutput) ?? .default }
        return setup
    }

    func run(in context: CommandContext) async throws {
        guard forward.isEmpty else { return try await AccessStart.start(try plans(context), context) }
        let plan = try plan(context)
        guard !desktopEntry else {
            guard header.isEmpty, plan.serviceTokenSecret == nil else {
                throw CommandError(.usage, "--desktop-entry writes no secrets; leave the service token and -H out")
            }
            let entry = try DesktopEntry(plan, login: login.settings, command: context.words.last ?? "tcp")
            return context.print(try entry.install(context))
        }
        try await AccessStart.start([plan], context)
    }

    /// One forwarder for each `--forward`, alike in all else.
    func plans(_ context: CommandContext) throws -> [ForwarderConfiguration] {
        guard hostname == nil, !hasListenAddress, destination == nil, !desktopEntry else {
            throw CommandError(
                .usage, "--forward stands for --hostname, --url and --destination; give the one or the others")
        }
        let defaultPort = OriginService.defaultPort(forScheme: context.words.last ?? "")
        let shared = try login.login(context)
        return try forward.map { text in
            let entry = try usage("--forward") { try ForwarderEntry.parse(text, defaultPort: defaultPort) }
            var plan = try plan(entry.hostname, listen: entry.listener, destination: entry.destination, context)
            // A test's --connect-to is for one host.
            if connectTo == nil { plan.login = shared }
            return plan
        }
    }

    /// Everything that the forwarder needs, decided and checked.
    func plan(_ context: CommandContext) throws -> ForwarderConfiguration {
        guard let hostname, !hostname.isEmpty else {
            throw CommandError(.usage, "--hostname is missing: give the host name of the service")
        }
        guard url == nil || listener == nil else {
            throw CommandError(.usage, "both --url and the argument \(listener ?? "") name a listen address; give one")
        }
        return try plan(
            usage("--hostname") { try AccessHostname.parse(hostname) },
            listen: (url ?? listener).map { address in try usage("--url") { try ListenAddress.parse(address) } },
            destination: destination.map { text in
                try usage("--destination") { try checkedDestination(text, context) }
            }, context)
    }

    private func plan(
        _ hostname: AccessHostname, listen: ListenAddress?, destination: JumpDestination?, _ context: CommandContext
    ) throws -> ForwarderConfiguration {
        var plan = ForwarderConfiguration(hostname: hostname, listen: listen, environment: context.environment)
        plan.destination = destination
        plan.headers = try ForwarderConfiguration.headers(fromFlags: header)
        let token = try ServiceToken.given(
            id: serviceTokenID, secret: serviceTokenSecret, file: serviceTokenFile, context)
        if let token {
            plan.serviceTokenID = token.id
            plan.serviceTokenSecret = token.secret
        }
        plan.connectTo = try connectTo.map(ConnectTo.parse)
        plan.authorityFiles = login.authorityFiles(context)
        plan.login = try login.login(context, hostname: hostname, connectTo: plan.connectTo)
        if let linger { plan.linger = TimeAmount(linger.duration) }
        if debugStream != nil { context.logger.warning("--debug-stream has no effect in this version") }
        return plan
    }

    /// A value that cannot be used is a mistake on the command line, not in a file.
    private func usage<Value>(_ flag: String, _ read: () throws -> Value) throws -> Value {
        do {
            return try read()
        } catch let error as ConfigError {
            throw CommandError(.usage, error.located(file: nil, key: flag).description)
        }
    }

    /// Checked here so that a typing mistake shows at once; the connector checks again, with its allow-list.
    private func checkedDestination(_ text: String, _ context: CommandContext) throws -> JumpDestination {
        try JumpDestination.parse(text, defaultPort: OriginService.defaultPort(forScheme: context.words.last ?? ""))
    }
}

extension Substring {
    var trimmed: String {
        var rest = self
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
