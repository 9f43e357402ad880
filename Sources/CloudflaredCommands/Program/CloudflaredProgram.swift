import Access
import AccessClient
import ArgumentParser
import Connector
import ControlAPI
import Foundation
import Glibc
import Logging
package import ServiceHost
import Synchronization
import TunnelConfig

/// One run of `cloudflared`, from the words of the command line to the exit code.
package struct CloudflaredProgram: Sendable {
    package var environment: [String: String]
    /// Writes one line to standard output.
    package var print: @Sendable (String) -> Void
    /// Writes a text without a line end to standard output.
    package var emit: @Sendable (String) -> Void
    /// Where logs and the closing error line go.
    package var console: LogSink
    private let printed = PrintedLines()

    package init(
        environment: [String: String] = ProcessInfo.processInfo.environment, console: LogSink = .standardError,
        print: (@Sendable (String) -> Void)? = nil
    ) {
        self.environment = environment
        self.console = console
        self.print = print ?? { [printed] line in printed.add(line + "\n") }
        emit = print ?? { [printed] text in printed.add(text) }
    }

    /// - Parameter words: the command line without the program's name.
    /// - Returns: the number to end the process with.
    package func run(_ words: [String]) async -> Int32 {
        let isOfficial = ExitCode.isOfficialTableAsked(in: environment)
        StandardOutput.occupyClosedStreams()
        DescriptorLimit.raise()
        do {
            let exitCode = try await perform(words, try InheritedSocket.takeAll())
            if let failure = printed.failure { throw failure }
            return exitCode.number(isOfficial: isOfficial)
        } catch let exit as ChildExit {
            console.write("\(exit)")
            return exit.status
        } catch let failure {
            let (line, exitCode) = Self.explain(failure)
            console.write(LogFormat.singleLine(line))
            return exitCode.number(isOfficial: isOfficial)
        }
    }

    private func perform(
        _ words: [String], _ sockets: [InheritedSocket]
    ) async throws -> ServiceHost.ExitCode {
        // What shells and packagers ask of the parser itself.
        if let first = words.first, ["--generate-completion-script", "--experimental-dump-help"].contains(first) {
            return printAnswerOfParser(words)
        }
        switch try ArgumentNormalizer.read(words) {
        case .version(let isShort):
            print(isShort ? Version.current : BuildInfo.current.line)
        case .help(let path):
            print(help(for: path))
        case .run(let invocation):
            try await run(invocation, sockets)
        }
        return .success
    }

    private func run(_ invocation: ArgumentNormalizer.Invocation, _ sockets: [InheritedSocket]) async throws {
        let command = invocation.command
        let type: any CloudflaredCommand.Type
        switch command.role {
        case .unavailable(let advice):
            throw CommandError(.unavailableCommand, advice)
        case .container:
            throw CommandError(
                .usage,
                "'\(invocation.words.joined(separator: " "))' needs a command: "
                    + command.children.compactMap(\.availableName).joined(separator: ", "))
        case .action(let action):
            type = action
        }

        let path =
            command.readsConfiguration
            ? ConfigurationFile.find(invocation.given["config"]?.values.last, environment) : nil
        // Before the file is read: what changes from here on is noticed.
        let watcher = path.map { FileWatcher(path: $0) }
        let configuration = try path.flatMap { try ConfigurationFile.load(path: $0, environment) }
        if invocation.path.count == 1, invocation.given.isEmpty, configuration == nil {
            throw CommandError(.usage, "nothing to do; see 'cloudflared --help'")
        }
        let reading = try read(type, invocation, configuration)
        let level = SharedLogLevel(.info)
        let logger = reading.command.loggingSetup(with: sockets).makeLogger(
            console: console, environment: environment, level: level)
        reading.warn(logger)
        var context = CommandContext(
            environment: environment, configuration: configuration, logger: logger, words: invocation.words,
            settings: reading.resolution.settings, print: print)
        context.logLevel = level
        context.sockets = sockets
        context.emit = emit
        context.tell = { [console] in console.write($0) }
        context.configurationWatcher = watcher
        if let path = configuration?.path {
            // The same file again, even if the search would now find another one first.
            let start = StartSettings(reading)
            context.readAgain = { [environment] in
                let file = try ConfigurationFile.load(path: path, environment)
                // A writer may have got no further than to make it empty; rules are not given up for that.
                guard let file, !file.ingress.isEmpty || !file.forwarders.isEmpty || !file.flagNames.isEmpty else {
                    throw CommandError(.configuration, "\(path) says nothing")
                }
                var reading = try read(type, invocation, file)
                reading.needsRestart = start.needingRestart(reading)
                return reading
            }
        }
        try await reading.command.run(in: context)
    }

    private func read(
        _ type: any CloudflaredCommand.Type, _ invocation: ArgumentNormalizer.Invocation, _ configuration: ConfigFile?
    ) throws -> CommandReading {
        let resolution = try FlagResolution(
            invocation, environment: environment, configured: configuration.map(ConfigurationFile.values(of:)))
        return CommandReading(
            command: try parse(type, resolution.commandLine, invocation), resolution: resolution,
            configuration: configuration)
    }

    private func parse(
        _ type: any CloudflaredCommand.Type, _ commandLine: [String], _ invocation: ArgumentNormalizer.Invocation
    ) throws(CommandError) -> any CloudflaredCommand {
        do {
            return try type.parse(commandLine)
        } catch {
            let text = type.message(for: error).split(separator: "\n").joined(separator: " ")
            let words = invocation.words.joined(separator: " ")
            throw CommandError(.usage, "\(text.isEmpty ? "\(error)" : text); see '\(words) --help'")
        }
    }

    // MARK: Help

    private func help(for path: [CommandNode]) -> String {
        guard path.count > 1, let type = path.last?.type else { return Cloudflared.helpMessage() }
        return Self.help(of: type)
    }

    private static func help(of type: (some CloudflaredCommand).Type) -> String { Cloudflared.helpMessage(for: type) }

    private func printAnswerOfParser(_ words: [String]) -> ServiceHost.ExitCode {
        do {
            _ = try Cloudflared.parseAsRoot(words)
            return .success
        } catch {
            print(Cloudflared.fullMessage(for: error))
            return Cloudflared.exitCode(for: error).isSuccess ? .success : .usage
        }
    }

    // MARK: Errors

    /// The closing line and the exit code that an error of a command, or of the targets below, ends the process with.
    private static func explain(_ error: any Error) -> (line: String, exitCode: ServiceHost.ExitCode) {
        let code: ServiceHost.ExitCode =
            switch error {
            case let error as CommandError: error.exitCode
            case let error as AccessError: error.exitCode
            case let error as LoginError: error.exitCode
            case is ConfigError: .configuration
            case let error as ConnectorError: error.code == .badConfiguration ? .configuration : .failure
            case let error as ControlAPIError:
                switch error.code {
                case .configuration: .configuration
                case .unreachable: .unavailable
                default: .failure
                }
            case let error as HostError:
                switch error.code {
                case .secret, .value: .configuration
                case .listen: .unavailable
                case .file: .failure
                }
            default: .failure
            }
        return ("\(error)", code)
    }
}

/// Writes to standard output and keeps the first failure for the end. Not buffered: what is printed is there when the
/// process ends, however it ends.
private final class PrintedLines: Sendable {
    private let state = Mutex<HostError?>(nil)

    var failure: HostError? { state.withLock { $0 } }

    func add(_ text: String) {
        do {
            try StandardOutput.write(text)
        } catch {
            state.withLock { $0 = $0 ?? error }
        }
    }
}

extension CommandNode {
    var type: (any CloudflaredCommand.Type)? {
        switch role {
        case .action(let type), .container(let type): type
        case .unavailable: nil
        }
    }

    fileprivate var availableName: String? { type == nil ? nil : name }
}
