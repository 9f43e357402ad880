import AccessClient
import Foundation
import ServiceHost
import TunnelConfig

/// The shortcut that `--desktop-entry` writes. Source: access-protocol.md section 6.
struct DesktopEntry {
    /// File name without extension; only plain characters.
    let name: String
    let text: String

    /// - Parameters:
    ///   - plan: checked values, so that nothing else gets into the file.
    ///   - command: `rdp`, `ssh`, `smb` or `tcp`.
    ///   - executable: what the shortcut starts.
    init(
        _ plan: ForwarderConfiguration, command: String,
        executable: String = Bundle.main.executablePath ?? "/usr/bin/cloudflared"
    ) throws {
        guard let address = plan.listen else {
            throw CommandError(.usage, "--desktop-entry needs --url, the local address that the shortcut listens on")
        }
        // The scheme says nothing: the command knows no other.
        let hostname = String(plan.hostname.description.dropFirst("https://".count))
        var words = [executable, "access", command, "--hostname", hostname, "--url", address.description]
        if let destination = plan.destination { words += ["--destination", destination.description] }
        for file in plan.authorityFiles { words += ["--cacert", file] }
        name =
            "cloudflared-"
            + plan.hostname.host.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") ? $0 : "-" }
        text = """
            [Desktop Entry]
            Type=Application
            Name=\(command.uppercased()) \(plan.hostname.host)
            Exec=\(words.map(Self.quoted).joined(separator: " "))
            Terminal=true
            Categories=Network;RemoteAccess;

            """
    }

    /// Writes it for the current user.
    ///
    /// - Returns: a sentence with the path.
    func install(_ context: CommandContext) throws -> String {
        let data =
            context.environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            ?? context.path("~/.local/share")
        guard data.hasPrefix("/") else {
            throw CommandError(.failure, "no home directory to write the shortcut into; set HOME")
        }
        let directory = data + "/applications"
        let path = "\(directory)/\(name).desktop"
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        } catch {
            throw CommandError(.failure, "cannot write the shortcut \(path)", cause: error)
        }
        return "Wrote \(path); copy it to your desktop for an icon."
    }

    /// The quoting of the Desktop Entry Specification: first that of Exec, then that of a string value, for which a
    /// backslash is written twice.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII
                && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                    || "-_./:".unicodeScalars.contains(scalar))
        }
        if isPlain { return word }
        var result = ""
        for character in word {
            switch character {
            case "\"", "`", "$", "\\": result += "\\\\" + (character == "\\" ? "\\\\" : String(character))
            case "%": result += "%%"
            default: result.append(character)
            }
        }
        return "\"\(result)\""
    }
}
