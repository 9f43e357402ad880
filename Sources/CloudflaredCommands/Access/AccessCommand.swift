import ArgumentParser
import ServiceHost

struct AccessCommand: CommandContainer {
    static let configuration = CommandConfiguration(
        commandName: "access", abstract: "Reach services behind an edge from this machine.",
        subcommands: [
            ForwardCommand.self, RemoteDesktopCommand.self, SecureShellCommand.self, FileSharingCommand.self,
            AccessLoginCommand.self, AccessTokenCommand.self, CurlCommand.self, SSHConfigCommand.self,
            SSHGenCommand.self,
        ])
}
