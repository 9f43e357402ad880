import AccessClient
import Foundation
import ServiceHost

/// What `--desktop-entry` writes, from the same settings that would run. Source: access-protocol.md section 6.
extension DesktopEntry {
    /// - Parameters:
    ///   - plan: checked values, so that nothing else gets into the file.
    ///   - login: whom logins trust, as it was given.
    ///   - command: `rdp`, `ssh`, `smb` or `tcp`.
    ///   - program: what the shortcut starts; this program if none is given.
    init(
        _ plan: ForwarderConfiguration, login: LoginSettings = LoginSettings(domains: [], storeURL: nil),
        command: String, program: String? = nil
    ) throws {
        guard let address = plan.listen else {
            throw CommandError(.usage, "--desktop-entry needs --url, the local address that the shortcut listens on")
        }
        try self.init(
            hostname: plan.hostname, listen: address, destination: plan.destination,
            authorityFiles: plan.authorityFiles.map { URL(fileURLWithPath: $0).path }, login: try login.flags,
            subcommand: command, program: try program ?? Self.currentProgram())
    }

    /// Writes it for the current user.
    ///
    /// - Returns: a sentence with the path.
    func install(_ context: CommandContext) throws -> String {
        let directory = try Self.applicationsDirectory(environment: context.environment)
        return "Wrote \(try write(toDirectory: directory, isExecutable: true)); copy it to your desktop for an icon."
    }
}
