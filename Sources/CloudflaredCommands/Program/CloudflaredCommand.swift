import ArgumentParser
import ServiceHost

/// A command of `cloudflared`: its flags and arguments are parsed properties, its work is `run(in:)`.
protocol CloudflaredCommand: ParsableCommand {
    /// How its log is set up.
    var loggingSetup: LoggingSetup { get }

    /// The same for a process that was given listening sockets.
    func loggingSetup(with sockets: [InheritedSocket]) -> LoggingSetup

    /// Does the work.
    ///
    /// - Throws: ``CommandError``, or an error of the target that failed.
    func run(in context: CommandContext) async throws
}

extension CloudflaredCommand {
    func loggingSetup(with sockets: [InheritedSocket]) -> LoggingSetup { loggingSetup }
}

/// A word that only groups others. It never runs: the program prints its help.
protocol CommandContainer: CloudflaredCommand {}

extension CommandContainer {
    var loggingSetup: LoggingSetup { LoggingSetup() }

    func run(in context: CommandContext) async throws {
        throw CommandError(.usage, "'\(context.words.joined(separator: " "))' needs a command")
    }
}

/// The root, for help and completions.
struct Cloudflared: CommandContainer {
    static let configuration = CommandConfiguration(
        commandName: "cloudflared",
        abstract: "Connects private services to an edge, and people to those services.",
        discussion: """
            Environment variables and config.yml can set most flags. Flags may be written -flag or --flag.
            Exit codes: 0 done, 1 failed, 2 wrong command line, 69 unavailable, 78 wrong configuration.
            """,
        version: BuildInfo.current.line,
        subcommands: [
            TunnelCommand.self, AccessCommand.self, LoginCommand.self, ServiceCommand.self, UpdateCommand.self,
            ManagementCommand.self, VersionCommand.self,
        ])
}

struct VersionCommand: CommandContainer {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    @Flag(name: .long, help: "Print the number alone.")
    var short = false
}
