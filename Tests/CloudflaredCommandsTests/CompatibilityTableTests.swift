import Foundation
import Testing

@testable import CloudflaredCommands

/// Keeps `packaging/compatibility.md` what the program's own tables say. With CLOUDFLARED_WRITE_DOCS in the environment
/// the test writes it.
struct CompatibilityTableTests {
    /// What the tables cannot know: flags that work in part, or that say no themselves.
    static let remarks = [
        "protocol": "works: auto and http2; quic is refused, it is not in this version",
        "socks5": "refused: SOCKS origins are not in this version",
        "lb-pool": "refused here; use tunnel route lb",
        "http2-origin": "accepted without effect, said at start", "label": "accepted without effect, said at start",
        "write-stream-timeout": "accepted without effect, said at start",
        "max-active-flows": "accepted without effect, said at start",
        "max-edge-addr-retries": "accepted without effect, said at start",
        "debug-stream": "accepted without effect, said at start", "url": "works; never opens a quick tunnel",
        "no-update-service": "works: there never is an update service",
    ]

    private var table: String {
        get throws {
            var text = """
                # Command line of the official client, in this version

                Made from the program's own tables by a test; do not edit. Key: the flag may stand in the configuration file.
                The environment of a flag without effect is not looked at. Commands that ask the account API need one that has the call.

                | Command | Standing |
                |---|---|

                """
            for command in OfficialSurface.commands {
                text += "| `\(command)` | \(try standing(of: command)) |\n"
            }
            for (commands, rows) in OfficialSurface.flags {
                let names = commands.map { $0.isEmpty ? "`cloudflared`" : "`\($0)`" }.joined(separator: ", ")
                text += "\n## \(names)\n\n| Flag | Environment | Key | Standing |\n|---|---|---|---|\n"
                for row in rows.split(separator: "\n") { text += try line(String(row), commands) }
            }
            return text
        }
    }

    private func standing(of command: String) throws -> String {
        guard case .unavailable(let advice) = try node(command).role else { return "works" }
        return "refused: \(advice)"
    }

    private func line(_ row: String, _ commands: [String]) throws -> String {
        let words = row.split(separator: " ").map(String.init)
        let names = words[0].split(separator: "/").map { "`\($0.count == 1 ? "-" : "--")\($0)`" }
        let path = try path(commands[0])
        let node = try #require(path.last)
        let outer = path.dropLast().reversed().flatMap(\.flags).filter { node.takes.contains($0.group) }
        let name = words[0].split(separator: "/").first.map(String.init) ?? ""
        let flag = try #require((node.flags + outer).first { $0.names.contains(name) })
        let environment = words.dropFirst(2).map { "`\($0)`" }.joined(separator: " ")
        return "| \(names.joined(separator: ", ")) | \(environment) | \(flag.isConfigurable ? "yes" : "") | "
            + "\(try standing(of: flag, name, commands[0])) |\n"
    }

    private func standing(of flag: FlagDefinition, _ name: String, _ command: String) throws -> String {
        if try standing(of: command) != "works" { return "refused with its command" }
        if let remark = Self.remarks[name], !command.hasPrefix("access") || name == "debug-stream" {
            return remark
        }
        guard flag.group == .ignored else { return "works" }
        return TunnelFlags.fulfilled.contains(name)
            ? "accepted: holds anyway, or without effect in the official client too"
            : "accepted without effect, with a notice"
    }

    private func node(_ command: String) throws -> CommandNode { try #require(try path(command).last) }

    private func path(_ command: String) throws -> [CommandNode] {
        var path = [CommandTree.root]
        for word in command.split(separator: " ") {
            path.append(try #require(path[path.count - 1].child(named: String(word))))
        }
        return path
    }

    @Test func `the compatibility table is what the program does`() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("packaging/compatibility.md")
        let made = try table
        if ProcessInfo.processInfo.environment["CLOUDFLARED_WRITE_DOCS"] != nil {
            try Data(made.utf8).write(to: file)
        }
        let kept = try String(contentsOf: file, encoding: .utf8)
        #expect(kept == made, "run this test with CLOUDFLARED_WRITE_DOCS=1 and commit packaging/compatibility.md")
    }
}
