import Foundation
package import TunnelConfig

/// The Linux desktop shortcut that starts a forwarder (access-protocol section 6). A value; `write` puts it in place.
///
/// Hostname and addresses come as checked types, so that nothing a person typed reaches the file unread. Secrets have no
/// place in it: a service token is read from the environment or the files of the user.
package struct DesktopEntry: Sendable {
    private let hostname: AccessHostname
    private let arguments: [String]
    private let name: String

    /// - Parameters:
    ///   - authorityFiles: the `--cacert` files.
    ///   - login: the flags that say whom a login trusts, checked.
    ///   - subcommand: rdp, tcp, ssh or smb.
    ///   - program: absolute path of cloudflared, see `currentProgram`.
    /// - Throws: `AccessError` (configuration) when a path cannot stand in such a file.
    package init(
        hostname: AccessHostname, listen: ListenAddress, destination: JumpDestination? = nil,
        authorityFiles: [String] = [], login: [String] = [], subcommand: String = "rdp", program: String
    ) throws {
        guard program.hasPrefix("/"), !([program] + authorityFiles + login).contains(where: Self.hasControl) else {
            throw AccessError(
                .configuration,
                "a desktop entry needs the absolute path of cloudflared, and paths without control characters")
        }
        self.hostname = hostname
        // Without the scheme, as a person would type it; it is implied.
        let place = String(hostname.description.dropFirst("https://".count))
        var arguments = [program, "access", subcommand, "--hostname", place, "--url", listen.description]
        if let destination { arguments += ["--destination", destination.description] }
        for file in authorityFiles { arguments += ["--cacert", file] }
        arguments += login
        self.arguments = arguments
        name = "\(subcommand.uppercased()) \(hostname.host)"
    }

    /// The path of the running program.
    ///
    /// - Throws: `AccessError` (configuration) when the file was replaced since the start.
    package static func currentProgram() throws -> String {
        let path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        guard !path.hasSuffix(" (deleted)") else {
            throw AccessError(.configuration, "cloudflared was replaced while it ran; start the command again")
        }
        return path
    }

    /// Where a user's menu entries live: `$XDG_DATA_HOME/applications`, by default under `~/.local/share`.
    package static func applicationsDirectory(environment: [String: String]) throws -> String {
        if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return data + "/applications" }
        guard let home = environment["HOME"], home.hasPrefix("/") else {
            throw AccessError(.configuration, "HOME is not set: there is no place for a desktop entry")
        }
        return home + "/.local/share/applications"
    }

    /// `cloudflared-<host>.desktop`.
    package var fileName: String {
        "cloudflared-\(hostname.host.replacingOccurrences(of: ":", with: "_")).desktop"
    }

    /// The file. The terminal stays open so that messages, later a login URL, can be read.
    package var text: String {
        """
        [Desktop Entry]
        Type=Application
        Name=\(name)
        Exec=\(Self.execLine(arguments))
        Terminal=true
        Categories=Network;RemoteAccess;

        """
    }

    /// Writes the file; an earlier one for the same host is replaced as a whole.
    ///
    /// - Parameters:
    ///   - directory: is made if need be.
    ///   - isExecutable: icons on a desktop start only with the execute bit.
    /// - Returns: the path written.
    /// - Throws: `AccessError` (configuration).
    package func write(toDirectory directory: String, isExecutable: Bool = false) throws -> String {
        let path = "\(directory)/\(fileName)"
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            try FileManager.default.setAttributes(
                [.posixPermissions: isExecutable ? 0o755 : 0o644], ofItemAtPath: path)
        } catch {
            throw AccessError(.configuration, "cannot write the desktop entry \(path)", cause: error)
        }
        return path
    }

    private static func hasControl(_ path: String) -> Bool {
        path.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
    }

    /// The quoting of the Desktop Entry Specification: the `Exec` key's own, and around it that of every string value.
    static func execLine(_ arguments: [String]) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@,+")
        return arguments.enumerated().map { index, argument in
            let doubled = argument.replacingOccurrences(of: "%", with: "%%")
            // The program is always quoted, as in the specification's example; the rest where a character asks for it.
            if index > 0, !doubled.isEmpty, doubled.allSatisfy(plain.contains) { return doubled }
            let quoted = doubled.map { "\"`$\\".contains($0) ? "\\\($0)" : String($0) }.joined()
            return "\"" + quoted.replacingOccurrences(of: "\\", with: "\\\\") + "\""
        }.joined(separator: " ")
    }
}
