import Testing

@testable import CloudflaredCommands

/// Every command, flag and environment variable of the official client, transcribed from cli-and-config.md sections 1.6
/// to 1.9. A script or a unit file that uses one of them must find it here.
struct OfficialSurfaceTests {
    /// One flag as one command defines it.
    struct Row: Sendable, CustomTestStringConvertible {
        var command: String
        var names: [String]
        var kind: FlagDefinition.Kind
        var environment: [String]

        var testDescription: String { "\(command) --\(names.first ?? "")" }
    }

    private static let kinds: [String: FlagDefinition.Kind] = [
        "S": .string, "B": .bool, "I": .integer, "U": .unsigned, "D": .duration, "L": .list,
    ]

    static let rows = OfficialSurface.flags.flatMap { commands, text in
        text.split(separator: "\n").flatMap { line in
            let words = line.split(separator: " ").map(String.init)
            return commands.map { command in
                Row(
                    command: command, names: words[0].split(separator: "/").map(String.init),
                    kind: kinds[words[1]] ?? .string, environment: Array(words.dropFirst(2)))
            }
        }
    }

    private func path(_ command: String) throws -> [CommandNode] {
        var path = [CommandTree.root]
        for word in command.split(separator: " ") {
            path.append(try #require(path.last?.child(named: String(word)), "no command '\(command)'"))
        }
        return path
    }

    @Test func `the table has as many rows as the official client`() {
        #expect(OfficialSurface.commands.count == 48)
        // Besides the one that its help does not count.
        #expect(Self.rows.count == 327 + 1)
        #expect(Set(Self.rows.flatMap(\.environment)).count == 95)
    }

    @Test(arguments: OfficialSurface.commands) func `every command is known`(command: String) throws {
        let path = try path(command)
        #expect(path.count > 1)
    }

    @Test(arguments: rows) func `every flag is known, with its spellings, its kind and its variables`(_ row: Row) throws
    {
        let path = try path(row.command)
        let node = try #require(path.last)
        let outer = path.dropLast().reversed().flatMap(\.flags).filter { node.takes.contains($0.group) }
        let flag = try #require((node.flags + outer).first { $0.names.contains(row.names[0]) }, "unknown")
        #expect(row.names.allSatisfy(flag.names.contains), "spellings \(flag.names)")
        #expect(flag.kind == row.kind)
        #expect(row.environment.allSatisfy(flag.environment.contains), "variables \(flag.environment)")
    }
}
