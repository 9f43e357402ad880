import ArgumentParser
import ServiceHost

// `access rdp`, `ssh` and `smb` are ForwardCommand, which runs for them. These let help, manuals and completions know the
// words, which ArgumentParser's own aliases do not.

struct RemoteDesktopCommand: ForwardAlias {
    static let configuration = alias("rdp", "Forward a local port to a remote desktop; port 3389 for --destination.")
    @OptionGroup var forward: ForwardCommand
}

struct SecureShellCommand: ForwardAlias {
    static let configuration = alias(
        "ssh", "Forward a local port, or standard input and output, to ssh; port 22 for --destination.")
    @OptionGroup var forward: ForwardCommand
}

struct FileSharingCommand: ForwardAlias {
    static let configuration = alias("smb", "Forward a local port to shared files; port 445 for --destination.")
    @OptionGroup var forward: ForwardCommand
}

/// Another name of ``ForwardCommand``.
protocol ForwardAlias: CloudflaredCommand {
    var forward: ForwardCommand { get }
}

extension ForwardAlias {
    static func alias(_ name: String, _ abstract: String) -> CommandConfiguration {
        CommandConfiguration(
            commandName: name, abstract: abstract, discussion: ForwardCommand.configuration.discussion)
    }

    var loggingSetup: LoggingSetup { forward.loggingSetup }

    func run(in context: CommandContext) async throws { try await forward.run(in: context) }
}
