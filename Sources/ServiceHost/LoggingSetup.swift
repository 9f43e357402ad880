import Glibc
package import Logging

/// What the command line says about logging, and the logger that follows from it.
package struct LoggingSetup: Sendable, Equatable {
    /// Console format of `--output`.
    package enum ConsoleOutput: String, Sendable, CaseIterable {
        case `default`
        case json
        /// Nothing on the terminal: `access` in stdin mode, where standard error belongs to the parent.
        case none
    }

    /// Name of the lowest level that is written, as given; a wrong one is reported and means `info`.
    package var level: String
    package var output: ConsoleOutput
    /// File for JSON lines, in addition to the console.
    package var file: String?
    /// Directory for `cloudflared.log`; ``file`` wins.
    package var directory: String?

    package init(
        level: String = "info", output: ConsoleOutput = .default, file: String? = nil, directory: String? = nil
    ) {
        self.level = level
        self.output = output
        self.file = file
        self.directory = directory
    }

    /// Builds the logger. Nothing here stops a start: what cannot be had is reported as an error line by the logger
    /// that remains.
    ///
    /// - Parameters:
    ///   - console: the terminal side, standard error unless a test says otherwise.
    ///   - environment: `NO_COLOR` is obeyed. When `JOURNAL_STREAM` says that the console is the journal, events go there
    ///     with their fields instead, unless JSON is asked for.
    ///   - level: set to the level of this setup; who keeps it can change the level later.
    package func makeLogger(
        label: String = "cloudflared", console: LogSink = .standardError, environment: [String: String],
        level shared: SharedLogLevel = SharedLogLevel(.info), journalPath: String = JournalSink.standardPath
    ) -> Logger {
        var complaints: [String] = []
        var outputs: [SinkLogHandler.Output] = []
        switch output {
        case .default:
            if JournalSink.isJournal(console.descriptor, environment: environment),
                let journal = JournalSink(path: journalPath, identifier: label)
            {
                outputs.append(.journal(journal))
                break
            }
            let isColoured = isatty(STDERR_FILENO) == 1 && environment["NO_COLOR", default: ""].isEmpty
            outputs.append(.lines(.console(isColoured: isColoured), console))
        case .json:
            outputs.append(.lines(.json, console))
        case .none:
            break
        }
        if let path = logFilePath {
            do {
                outputs.append(.lines(.json, try LogSink.file(path: path)))
            } catch {
                complaints.append("\(error); logging to standard error only")
                if outputs.isEmpty { outputs.append(.lines(.json, console)) }
            }
        }
        if file != nil, directory != nil {
            complaints.append("both a log file and a log directory are given; the log file is used")
        }
        shared.set(parsedLevel ?? .info)
        if parsedLevel == nil {
            complaints.append(
                "unknown log level \"\(level)\", using info; give one of trace, debug, info, warn, error, fatal")
        }
        let handler = SinkLogHandler(outputs: outputs, level: shared)
        let logger = Logger(label: label, factory: { _ in handler })
        for complaint in complaints { logger.error("\(complaint)") }
        return logger
    }

    /// Nil when ``level`` is no level.
    package var parsedLevel: Logger.Level? { LogLevelName.level(named: level) }

    private var logFilePath: String? {
        if let file, !file.isEmpty { return file }
        guard let directory, !directory.isEmpty else { return nil }
        return directory + (directory.hasSuffix("/") ? "" : "/") + "cloudflared.log"
    }
}
