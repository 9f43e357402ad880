import Access
import AccessClient
import ArgumentParser
import ServiceHost
import TunnelConfig

/// `access ssh-config`: the lines for `~/.ssh/config`. Asks nobody. Source: access-protocol.md section 2.14.
struct SSHConfigCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssh-config", abstract: "Print what ssh needs in its configuration to reach a host.")

    @Option(help: "Host name of the ssh service.")
    var hostname: String?

    @Flag(help: "With a certificate for a few minutes instead of a key of your own.")
    var shortLivedCert = false

    @OptionGroup(title: "Log") var logging: LoggingOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let host = try hostname.map { try AccessHostname.parse($0).host } ?? "[your hostname]"
        let program = try DesktopEntry.currentProgram()
        context.print(Self.text(host: host, program: program, isShortLived: shortLivedCert, context))
    }

    static func text(host: String, program: String, isShortLived: Bool, _ context: CommandContext) -> String {
        // The exec line is in quotes already; there only the other kind may stand.
        let quoted = program.contains(" ") ? "'\(program)'" : program
        let plain = program.contains(" ") ? "\"\(program)\"" : program
        let home = context.path("~/.ssh/config")
        guard isShortLived else {
            return """

                Add to your \(home):

                Host \(host)
                  ProxyCommand \(plain) access ssh --hostname %h

                """
        }
        return """

            Add to your \(home):

            Match host \(host) exec "\(quoted) access ssh-gen --hostname %h"
              ProxyCommand \(plain) access ssh --hostname %h
              IdentityFile ~/.cloudflared/%h-cf_key
              CertificateFile ~/.cloudflared/%h-cf_key-cert.pub

            """
    }
}

/// `access ssh-gen`: a certificate for ssh, by the login of a person. Source: access-protocol.md section 2.14.
struct SSHGenCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssh-gen", abstract: "Get a certificate with which ssh lets you in for a few minutes.")

    @Option(help: "Host name of the ssh service.")
    var hostname: String?

    @OptionGroup(title: "Login") var login: LoginOptions
    @OptionGroup(title: "Log") var logging: LoggingOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        guard let hostname, !hostname.isEmpty else {
            throw CommandError(.usage, "--hostname is missing: give the host name of the ssh service")
        }
        let address = try Application.address(hostname)
        let login = try login.login(context)
        try await Interruption.stopping { try await login.certifyKey(at: address) }
    }
}
