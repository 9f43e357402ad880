import ArgumentParser
import ServiceHost
import Testing

@testable import CloudflaredCommands

struct FlagResolutionTests {
    func resolve(
        _ line: String, environment: [String: String] = [:], file: [String: ConfiguredValue]? = nil
    ) throws -> FlagResolution {
        try FlagResolution(try invocation(line), environment: environment, configured: file)
    }

    struct Precedence: Sendable {
        var line: Bool
        var environment: Bool
        var file: Bool
        var expected: String?
    }

    @Test(arguments: [
        Precedence(line: true, environment: true, file: true, expected: "line"),
        Precedence(line: true, environment: true, file: false, expected: "line"),
        Precedence(line: true, environment: false, file: true, expected: "line"),
        Precedence(line: true, environment: false, file: false, expected: "line"),
        Precedence(line: false, environment: true, file: true, expected: "environment"),
        Precedence(line: false, environment: true, file: false, expected: "environment"),
        Precedence(line: false, environment: false, file: true, expected: "file"),
        Precedence(line: false, environment: false, file: false, expected: nil),
    ])
    func `command line before environment before file`(_ row: Precedence) throws {
        for (flag, variable) in [
            ("protocol", "TUNNEL_TRANSPORT_PROTOCOL"), ("edge", "TUNNEL_EDGE"), ("metrics", "TUNNEL_METRICS"),
        ] {
            let resolution = try resolve(
                row.line ? "tunnel --\(flag) line run" : "tunnel run",
                environment: row.environment ? [variable: "environment"] : [:],
                file: row.file ? [flag: .scalar("file")] : nil)
            #expect(resolution.values[flag]?.texts == row.expected.map { [$0] })
        }
    }

    @Test func `an empty value is an error on the command line and nothing in the file`() throws {
        let words = ["access", "rdp", "--hostname", "h.test", "--url", ""]
        let error = #expect(throws: CommandError.self) { try ArgumentNormalizer.read(words) }
        #expect(error?.description == "flag --url has an empty value")
        #expect(
            try resolve("tunnel run", file: ["url": .scalar(""), "edge": .list(["", "a:1"])]).commandLine == [
                "--edge=a:1", "--",
            ])
    }

    @Test func `an empty variable means the default and hides the file`() throws {
        let resolution = try resolve(
            "tunnel run", environment: ["TUNNEL_URL": "", "TUNNEL_RETRIES": ""],
            file: ["url": .scalar("http://a"), "retries": .scalar("3")])
        #expect(resolution.values.isEmpty)
    }

    @Test func `a list of the environment is split and trimmed`() throws {
        let resolution = try resolve("tunnel run", environment: ["TUNNEL_EDGE": "a:1, b:2 ,,c:3"])
        #expect(resolution.values["edge"]?.texts == ["a:1", "b:2", "c:3"])
        let given = try resolve("tunnel --edge x:1 run", environment: ["TUNNEL_EDGE": "a:1"])
        #expect(given.values["edge"]?.texts == ["x:1"])
    }

    @Test func `explicit false and zero of the file count`() throws {
        let resolution = try resolve(
            "tunnel run", file: ["no-tls-verify": .scalar("false"), "grace-period": .scalar("0s")])
        #expect(resolution.commandLine == ["--grace-period=0s", "--"])
        #expect(resolution.values["no-tls-verify"]?.texts == ["false"])
    }

    @Test func `a malformed variable is named`() throws {
        let error = #expect(throws: CommandError.self) {
            try resolve("tunnel run", environment: ["TUNNEL_GRACE_PERIOD": "10"])
        }
        #expect(error?.description.hasPrefix("environment variable TUNNEL_GRACE_PERIOD holds \"10\"") == true)
        #expect(error?.exitCode == .usage)
    }

    @Test func `generic variables of flags without effect are not looked at`() throws {
        let resolution = try resolve(
            "tunnel run", environment: ["SECRET_ID": "x", "ACCESS_CLIENT_ID": "x", "DIAL_EDGE_TIMEOUT": "junk"])
        #expect(resolution.values.isEmpty)
    }

    @Test func `the file does not name credentials for commands that make them`() throws {
        let file: [String: ConfiguredValue] = ["credentials-file": .scalar("/f.json")]
        #expect(try resolve("tunnel run", file: file).values["credentials-file"]?.texts == ["/f.json"])
        for line in ["tunnel create n", "tunnel delete n", "tunnel token n"] {
            #expect(try resolve(line, file: file).values["credentials-file"] == nil)
        }
    }

    @Test func `access reads neither the tunnel variables nor the file`() throws {
        let resolution = try resolve(
            "access tcp",
            environment: [
                "TUNNEL_URL": "x", "TUNNEL_HOSTNAME": "x", "TUNNEL_LOGLEVEL": "x", "TUNNEL_SERVICE_HOSTNAME": "h",
            ])
        #expect(resolution.values.mapValues(\.texts) == ["hostname": ["h"]])
    }

    @Test func `secrets on the command line are masked and warned about once`() throws {
        let resolution = try resolve("tunnel --loglevel debug run --token eyJ")
        #expect(resolution.settings == ["loglevel": "debug", "token": "*****"])
        #expect(resolution.warnings.count == 1)
        #expect(resolution.warnings[0].contains("--token-file") && resolution.warnings[0].contains("TUNNEL_TOKEN"))
        #expect(!resolution.warnings[0].contains("eyJ"))
        #expect(try resolve("tunnel run", environment: ["TUNNEL_TOKEN": "eyJ"]).warnings.isEmpty)
        #expect(try resolve("tunnel run", environment: ["TUNNEL_TOKEN": "eyJ"]).settings == ["token": "*****"])
    }

    @Test func `a shadowed outer flag is warned about`() throws {
        let resolution = try resolve("tunnel --protocol auto run --protocol http2")
        #expect(resolution.warnings == ["--protocol is given at two levels; the innermost value is used"])
    }
}

/// The flag table and the properties of the commands are two lists; this keeps them one.
struct FlagTableTests {
    static let arguments = [
        "create": ["n"], "info": ["n"], "delete": ["n"], "token": ["n"], "cleanup": ["n"], "dns": ["t", "h.test"],
        "rule": ["http://a"], "lb": ["t", "h.test", "p"], "add": ["n", "t"], "get": ["n"], "update": ["n"],
    ]
    static let values = ["output": "json", "log-output": "json", "resource": "logs"]

    func paths(_ path: [CommandNode]) -> [[CommandNode]] {
        [path] + (path.last?.children ?? []).flatMap { paths(path + [$0]) }
    }

    @Test func `every command parses every flag that it takes`() throws {
        var count = 0
        for path in paths([CommandTree.root]) {
            guard case .action(let type)? = path.last?.role, type != VersionCommand.self, type != UpdateCommand.self
            else { continue }
            let invocation = ArgumentNormalizer.Invocation(path: path, words: path.map(\.name))
            var line: [String] = []
            for flag in FlagResolution.definitions(of: invocation) where flag.group != .ignored {
                switch flag.kind {
                case .bool: line.append("--\(flag.id)")
                case .integer, .unsigned: line.append("--\(flag.id)=3")
                case .duration: line.append("--\(flag.id)=3s")
                case .string, .list:
                    line.append("--\(flag.id)=\(Self.values[flag.id] ?? "x")")
                }
                count += 1
            }
            line += ["--"] + (Self.arguments[path.last?.name ?? ""] ?? [])
            #expect(throws: Never.self, "\(path.map(\.name)) \(line)") { _ = try type.parse(line) }
        }
        #expect(count > 150)
    }

    @Test func `no spelling means two flags at one level`() {
        for path in paths([CommandTree.root]) {
            let names = path.last?.flags.flatMap(\.names) ?? []
            #expect(Set(names).count == names.count, "\(path.map(\.name))")
        }
    }

    @Test func `values that look odd reach the command unchanged`() throws {
        for value in ["-x", "--", "a=b", "a b\n", "ü"] {
            let parsed = try RunCommand.parse(["--label=\(value)", "--", "NAME"])
            #expect(parsed.connector.label == value)
        }
    }
}
