import ArgumentParser

struct ServiceCommand: CommandContainer {
    static let configuration = CommandConfiguration(
        commandName: "service", abstract: "Run a connector as a service of this host, under systemd.",
        subcommands: [ServiceInstallCommand.self, ServiceUninstallCommand.self])
}

/// Which service, and on which system.
struct ServiceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Name of the service, to have several on one host: cloudflared@NAME instead of cloudflared.",
            valueName: "name"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            "Work on the system below this directory, which is not running. Nothing is started or stopped.",
            valueName: "directory"), completion: .directory)
    var root: String?

    /// - Throws: ``CommandError`` when the command cannot work here: a service of the host is a matter of root and systemd.
    func checked(_ context: CommandContext, effectiveUser: UInt32) throws(CommandError) -> ServiceLayout {
        if let name, !ServiceLayout.isUsable(name) {
            throw CommandError(
                .usage,
                "\"\(OutputText.safe(name))\" cannot name a service; use up to 64 of a-z, A-Z, 0-9, _ and -, except 'token'"
            )
        }
        let layout = ServiceLayout(root: root.map { context.path($0) } ?? "", name: name)
        guard layout.root.isEmpty else {
            guard layout.root.hasPrefix("/") else {
                throw CommandError(.usage, "--root takes a full path, not \(layout.root)")
            }
            return layout
        }
        guard effectiveUser == 0 else {
            throw CommandError(.failure, "services of this host belong to root; run it again with sudo")
        }
        guard layout.isSystemdRunning else {
            throw CommandError(
                .unavailable,
                "this host is not run by systemd (there is no /run/systemd/system); let your init system run: "
                    + "cloudflared tunnel run --token-file FILE")
        }
        return layout
    }
}
