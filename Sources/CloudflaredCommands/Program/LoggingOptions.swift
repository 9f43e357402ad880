import ArgumentParser
import ServiceHost

/// What shells offer for `--loglevel`.
let logLevels = ["trace", "debug", "info", "warn", "error", "fatal"]

/// Flags of every command that logs.
struct LoggingOptions: ParsableArguments {
    @Option(
        name: [.customLong("loglevel")], help: "Lowest level that is logged: trace, debug, info, warn, error or fatal.",
        completion: .list(logLevels))
    var level = "info"

    @Option(help: ArgumentHelp("Also append JSON lines to this file.", valueName: "file"), completion: .file())
    var logfile: String?

    @Option(
        help: ArgumentHelp("Also log to cloudflared.log in this directory.", valueName: "directory"),
        completion: .directory)
    var logDirectory: String?

    @Option(
        name: .customLong("log-output"),
        help: "Log format on standard error: default or json. Also --output before the last command word.",
        completion: .list(["default", "json"]))
    var output = "default"

    func setup(isSilent: Bool = false) -> LoggingSetup {
        LoggingSetup(
            level: level, output: isSilent ? .none : (.init(rawValue: output) ?? .default), file: logfile,
            directory: logDirectory)
    }

    func validate() throws {
        guard output == "default" || output == "json" else {
            throw ValidationError("--output takes default or json here, not \"\(output)\"")
        }
    }
}

/// `--config`, which the program has already acted on when a command runs.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Configuration file. Without it the first config.yml or config.yaml in ~/.cloudflared, ~/.cloudflare-warp, "
                + "~/cloudflare-warp, /etc/cloudflared and /usr/local/etc/cloudflared.", valueName: "file"),
        completion: .file())
    var config: String?
}
