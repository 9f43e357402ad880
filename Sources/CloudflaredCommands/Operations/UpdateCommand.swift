import ArgumentParser
import ServiceHost

/// `update`: says who updates this program. It never asks anybody for a newer one. Source: cli-and-config.md section 8.3.
struct UpdateCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Say how this program is updated.",
        discussion: """
            Packages update cloudflared; it asks no server for a newer version and does not change itself. Ends with 0, as \
            the official client does when there is nothing for it to do.
            """)

    @Flag(help: .hidden) var beta = false
    @Flag(help: .hidden) var force = false
    @Flag(help: .hidden) var staging = false
    @Option(name: .customLong("version"), help: .hidden) var version: String?

    var loggingSetup: LoggingSetup { LoggingSetup() }

    func run(in context: CommandContext) async throws {
        context.print(
            "cloudflared \(Version.current) does not update itself: packages do, such as apt install --only-upgrade "
                + "cloudflared")
    }
}
