import ArgumentParser
import Glibc
import ServiceHost

/// `service uninstall`. Exit codes: 0 gone; 1 refused, or systemd refused, and everything is as before; 69 no systemd.
struct ServiceUninstallCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall", abstract: "Stop the service and remove it with its token.",
        discussion: "The configuration file stays, so that the service can be installed again, unless --purge is given."
    )

    @Flag(help: "Remove the configuration file too, and the directory if nothing else is in it.")
    var purge = false

    @OptionGroup var service: ServiceOptions
    @OptionGroup(visibility: .hidden) var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { LoggingSetup() }

    func run(in context: CommandContext) async throws {
        let layout = try service.checked(context, effectiveUser: geteuid())
        try await ServiceUninstaller(
            layout: layout, control: SystemControl(root: service.root == nil ? nil : layout.root), print: context.print
        ).uninstall(purge: purge)
    }
}
