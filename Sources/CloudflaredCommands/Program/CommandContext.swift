import Logging
import ServiceHost
import TunnelConfig

/// What a command gets besides its own flags: everything outside the process that it may look at.
struct CommandContext: Sendable {
    var environment: [String: String]
    /// The configuration file in force, if there is one.
    var configuration: ConfigFile?
    var logger: Logger
    /// The words that named the command, such as `access rdp`.
    var words: [String]
    /// Given and configured values by flag, secrets masked, for the `Settings` line.
    var settings: [String: String]
    /// Writes one line to standard output.
    var print: @Sendable (String) -> Void
    /// Writes a text to standard output as it is.
    var emit: @Sendable (String) -> Void = { _ in }
    /// Writes lines for a person to standard error, whatever becomes of the log.
    var tell: @Sendable (String) -> Void = { _ in }
    /// The level of every log line of the process.
    var logLevel = SharedLogLevel(.info)
    /// Listening sockets that systemd opened for this process.
    var sockets: [InheritedSocket] = []
    /// Says when the configuration file is another than the one in force at the start; nil when there is none.
    var configurationWatcher: FileWatcher?
    /// The same command as the configuration file has it now; nil when there is nothing to read again.
    var readAgain: (@Sendable () throws -> CommandReading)?

    /// `~` and `~/x` become paths in the home directory.
    func path(_ text: String) -> String { HomePath.expanding(text, environment: environment) }

    var searchPaths: SearchPaths { SearchPaths(environment: environment) }
}
