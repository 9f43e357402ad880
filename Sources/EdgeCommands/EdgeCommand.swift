package import ArgumentParser
import Foundation
import ServiceHost

/// `cloudflared-edge`: makes, administers and runs the server side of tunnels.
package struct EdgeCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "cloudflared-edge",
        abstract: "The self-hosted edge that cloudflared connects to.",
        discussion: """
            Start with `init`, then `tunnel create`, `route add`, `access app add` and `run`. Every hostname is closed \
            until `access app add` opens it.
            Exit codes: 0 done, 1 failed, 2 wrong command line, 69 unavailable, 78 wrong configuration.
            """,
        subcommands: [
            InitCommand.self,
            RunCommand.self,
            DemoCommand.self,
            TunnelCommand.self,
            RouteCommand.self,
            AccessCommand.self,
            ApplyCommand.self,
            AuditCommand.self,
            VersionCommand.self,
        ])

    package init() {}

    /// Parses and runs one command line.
    ///
    /// - Parameter arguments: without the program's name.
    /// - Returns: the exit code. What went wrong is on standard error by then, in one line.
    package static func execute(_ arguments: [String]) async -> Int32 {
        StandardOutput.occupyClosedStreams()
        do {
            var command = try parseAsRoot(arguments)
            let type = type(of: command)
            guard type.configuration.subcommands.isEmpty else {
                // Nobody asked for help, so a script that forgot a word must not take this for success.
                StandardOutput.complain(line: helpMessage(for: type))
                return ServiceHost.ExitCode.usage.rawValue
            }
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return ServiceHost.ExitCode.success.rawValue
        } catch {
            return report(error)
        }
    }

    private static func report(_ error: any Error) -> Int32 {
        switch exitCode(for: error) {
        case .success:
            // Help and the version are errors to the parser, and answers to the user.
            do {
                try StandardOutput.write(line: fullMessage(for: error))
                return ServiceHost.ExitCode.success.rawValue
            } catch {
                printError(error.description)
                return ServiceHost.ExitCode.failure.rawValue
            }
        case .validationFailure:
            printError("\(message(for: error)) (see `cloudflared-edge --help`)")
            return ServiceHost.ExitCode.usage.rawValue
        default:
            printError(String(describing: error))
            return CommandFailure.exitCode(for: error).rawValue
        }
    }

    private static func printError(_ message: String) {
        let line = message.replacingOccurrences(of: "\n", with: " ")
        StandardOutput.complain(line: "cloudflared-edge: \(line)")
    }
}
