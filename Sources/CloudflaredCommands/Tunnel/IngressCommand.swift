import ArgumentParser
import Foundation
import Logging
import ServiceHost
import TunnelConfig

struct IngressCommand: CommandContainer {
    static let configuration = CommandConfiguration(
        commandName: "ingress", abstract: "Check the ingress rules of a configuration file.",
        subcommands: [IngressValidateCommand.self, IngressRuleCommand.self])
}

/// Where the rules to check come from.
private func loadRules(
    _ options: ConfigurationOptions, _ context: CommandContext
) throws -> ConfigFile {
    guard let file = try ConfigurationFile.load(path: options.config, context.environment) else {
        throw CommandError(
            .configuration,
            "no configuration file found; name one with --config, or put config.yml into one of "
                + context.searchPaths.directories.joined(separator: ", "))
    }
    return file
}

struct IngressValidateCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(commandName: "validate", abstract: "Check the rules.")

    @Option(name: [.long, .customShort("j")], help: "Check this configuration in JSON instead of a file.")
    var json: String?

    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        do {
            let file: ConfigFile
            if let json {
                context.print("Validating rules from cmdline flag --json")
                // Every JSON text is YAML too.
                file = try ConfigFile.parse(json, path: "--json")
            } else {
                file = try loadRules(configurationOptions, context)
                context.print("Validating rules from \(file.path)")
            }
            guard !file.ingress.isEmpty else { throw ConfigError("there are no ingress rules", file: file.path) }
            for warning in file.warnings { context.print("Warning: \(OutputText.safe(warning.description))") }
            context.print("OK")
        } catch let error as ConfigError {
            throw CommandError(.configuration, "Validation failed: \(error)")
        }
    }
}

struct IngressRuleCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(commandName: "rule", abstract: "Say which rule serves a URL.")

    @Argument(help: "Such as https://app.example.com/path.")
    var url: String

    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        guard let parts = URLComponents(string: url), parts.scheme != nil, let host = parts.host, !host.isEmpty else {
            throw CommandError(
                .usage, "\"\(url)\" has no scheme and host; give a URL such as https://app.example.com/path")
        }
        let file = try loadRules(configurationOptions, context)
        guard !file.ingress.isEmpty else { throw ConfigError("there are no ingress rules", file: file.path) }
        context.print("Using rules from \(file.path)")
        let match = RoutingTable(rules: file.ingress).match(host: host, path: parts.path)
        context.print("Matched rule #\(match.index)")
        if let hostname = match.rule.hostname { context.print("\thostname: \(hostname.text)") }
        if let path = match.rule.path { context.print("\tpath: \(path.text)") }
        context.print("\tservice: \(match.rule.service.description)")
    }
}
