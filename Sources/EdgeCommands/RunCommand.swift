package import ArgumentParser
import EdgeStore
import Foundation
import ServiceHost

/// `cloudflared-edge run`: serves connectors and visitors until a signal stops it.
package struct RunCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the edge of a data directory.",
        discussion: """
            SIGTERM lets visitors' requests end for up to 30 seconds. Certificates that were renewed are taken when their \
            files change, and on SIGHUP.
            """)

    @Option(name: .customLong("data-dir"), help: ArgumentHelp("The edge's data directory.", valueName: "D"))
    var dataDirectory: String

    @Option(
        name: .customLong("tunnel-listen"), help: "Where connectors connect to, host:port; port 0 takes a free one.")
    var tunnelListen: String?

    @Option(name: .customLong("https-listen"), help: "Where visitors, clients and the account API connect to.")
    var httpsListen: String?

    @Option(help: "Format of the log: default or json.")
    var output: LoggingSetup.ConsoleOutput = .default

    @Option(name: .customLong("loglevel"), help: "debug, info, warn or error.")
    var logLevel = "info"

    package init() {}

    package func run() async throws {
        let logger = LoggingSetup(level: logLevel, output: output)
            .makeLogger(console: .standardError, environment: ProcessInfo.processInfo.environment)
        let directory = try DataDirectory.open(at: dataDirectory)
        try await EdgeRun(
            directory: directory, tunnelListen: tunnelListen, httpsListen: httpsListen, logger: logger
        ).run()
    }
}

extension LoggingSetup.ConsoleOutput: ExpressibleByArgument {}
