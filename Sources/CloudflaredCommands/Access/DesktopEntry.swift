import AccessClient
import ServiceHost

/// What `--desktop-entry` writes, from the same settings that would run. Source: access-protocol.md section 6.
extension DesktopEntry {
    /// - Parameters:
    ///   - plan: checked values, so that nothing else gets into the file.
    ///   - command: `rdp`, `ssh`, `smb` or `tcp`.
    ///   - program: what the shortcut starts; this program if none is given.
    init(_ plan: ForwarderConfiguration, command: String, program: String? = nil) throws {
        guard let address = plan.listen else {
            throw CommandError(.usage, "--desktop-entry needs --url, the local address that the shortcut listens on")
        }
        try self.init(
            hostname: plan.hostname, listen: address, destination: plan.destination,
            authorityFiles: plan.authorityFiles, subcommand: command, program: try program ?? Self.currentProgram())
    }

    /// Writes it for the current user.
    ///
    /// - Returns: a sentence with the path.
    func install(_ context: CommandContext) throws -> String {
        let directory = try Self.applicationsDirectory(environment: context.environment)
        return "Wrote \(try write(toDirectory: directory, isExecutable: true)); copy it to your desktop for an icon."
    }
}
