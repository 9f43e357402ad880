import ArgumentParser
import Glibc
import ServiceHost

/// `service install [TOKEN]`. Exit codes: 0 installed, or was already; 2 wrong command line; 78 token or configuration
/// cannot be used; 69 no systemd, or installed and not started; 1 refused, everything is as before.
struct ServiceInstallCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "install", abstract: "Install and start the service of a tunnel.",
        discussion: """
            The tunnel is that of the token, else that of the configuration file (--config, else the first of the search \
            path), whose `tunnel` and `credentials-file` are then required. The token goes into /etc/cloudflared/token, \
            which only root can read, and the configuration file is copied to /etc/cloudflared/config.yml.

            What cannot be finished is taken back. A service that is installed and does not start stays installed.
            """)

    @Argument(
        help: "Run token of the tunnel. Prefer --token-file: a command line can be read by every user of the host.")
    var token: String?

    @Option(help: ArgumentHelp("File with the run token.", valueName: "file"), completion: .file())
    var tokenFile: String?

    @Flag(help: "Install it without starting it; it starts with the host.")
    var noStart = false

    @Flag(help: ArgumentHelp("Accepted for compatibility: no update service is ever installed.", visibility: .hidden))
    var noUpdateService = false

    @OptionGroup var service: ServiceOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { LoggingSetup() }

    func validate() throws {
        guard token == nil || tokenFile == nil else {
            throw ValidationError("the token and --token-file say the same; give one of them")
        }
    }

    func run(in context: CommandContext) async throws {
        let layout = try service.checked(context, effectiveUser: geteuid())
        let source = try ServiceSource.find(
            token: token, tokenFile: tokenFile, configuration: configurationOptions.config, context)
        var installer = ServiceInstaller(
            layout: layout, control: SystemControl(root: service.root == nil ? nil : layout.root),
            program: try ServiceProgram.current(), print: context.print)
        installer.isStarted = !noStart && service.root == nil
        try await installer.install(source)
    }
}
