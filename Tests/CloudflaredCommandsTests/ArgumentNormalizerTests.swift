import ArgumentParser
import Fuzzing
import ServiceHost
import Testing

@testable import CloudflaredCommands

/// Reads a command line that is expected to name a command.
func invocation(_ line: String) throws -> ArgumentNormalizer.Invocation {
    let words = line.split(separator: " ").map(String.init)
    guard case .run(let invocation) = try ArgumentNormalizer.read(words) else {
        throw CommandError(.failure, "'\(line)' names no command")
    }
    return invocation
}

struct ArgumentNormalizerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var line: String
        var command: String
        var values: [String: [String]]
        var arguments: [String] = []

        var testDescription: String { line }
    }

    static let cases: [Case] = [
        // One dash or two, equals or space.
        Case(line: "tunnel -edge a:1 run", command: "tunnel run", values: ["edge": ["a:1"]]),
        Case(
            line: "tunnel --edge=a:1 -edge=b:2 run X", command: "tunnel run", values: ["edge": ["a:1", "b:2"]],
            arguments: ["X"]),
        // The last scalar wins.
        Case(
            line: "tunnel --protocol quic --protocol http2 run", command: "tunnel run", values: ["protocol": ["http2"]]),
        // A bool never takes the next word.
        Case(line: "tunnel --bastion run", command: "tunnel run", values: ["bastion": ["true"]]),
        Case(
            line: "tunnel run --no-tls-verify=false X", command: "tunnel run", values: ["no-tls-verify": ["false"]],
            arguments: ["X"]),
        Case(line: "tunnel run --no-tls-verify=T", command: "tunnel run", values: ["no-tls-verify": ["true"]]),
        // Aliases and short names, never bundled.
        Case(line: "tunnel --cred-file f run", command: "tunnel run", values: ["credentials-file": ["f"]]),
        Case(
            line: "tunnel run -p http2 -pq", command: "tunnel run",
            values: ["protocol": ["http2"], "post-quantum": ["true"]]),
        Case(
            line: "tunnel list -rd -o json", command: "tunnel list",
            values: ["show-recently-disconnected": ["true"], "output": ["json"]]),
        Case(
            line: "tunnel list -np a -enp b", command: "tunnel list",
            values: ["name-prefix": ["a"], "exclude-name-prefix": ["b"]]),
        Case(
            line: "access rdp -T h -L localhost:1 -H A:b -H C:d -id i -secret s", command: "access rdp",
            values: [
                "hostname": ["h"], "url": ["localhost:1"], "header": ["A:b", "C:d"], "service-token-id": ["i"],
                "service-token-secret": ["s"],
            ]),
        Case(
            line: "forward ssh --tunnel-host h --listener l:1", command: "forward ssh",
            values: ["hostname": ["h"], "url": ["l:1"]]),
        Case(line: "access tcp --log-level debug", command: "access tcp", values: ["loglevel": ["debug"]]),
        // Every level, the innermost wins.
        Case(
            line: "--loglevel debug tunnel --config F --edge A:1 run --token T", command: "tunnel run",
            values: ["loglevel": ["debug"], "config": ["F"], "edge": ["A:1"], "token": ["T"]]),
        Case(
            line: "--protocol quic tunnel --protocol auto run --protocol http2", command: "tunnel run",
            values: ["protocol": ["http2"]]),
        Case(line: "--edge a:1 tunnel --edge b:2 run", command: "tunnel run", values: ["edge": ["b:2"]]),
        Case(line: "--output json tunnel run", command: "tunnel run", values: ["log-output": ["json"]]),
        Case(
            line: "tunnel --output json list -o yaml", command: "tunnel list",
            values: ["log-output": ["json"], "output": ["yaml"]]),
        // Ours: outer flags behind inner commands, flags behind arguments.
        Case(line: "tunnel run --config F", command: "tunnel run", values: ["config": ["F"]]),
        Case(line: "tunnel run NAME --url X", command: "tunnel run", values: ["url": ["X"]], arguments: ["NAME"]),
        Case(
            line: "tunnel list mine -o json", command: "tunnel list", values: ["output": ["json"]], arguments: ["mine"]),
        // Same name, other flag.
        Case(
            line: "tunnel delete -f a b", command: "tunnel delete", values: ["force": ["true"]], arguments: ["a", "b"]),
        Case(
            line: "tunnel route dns -f t h", command: "tunnel route dns", values: ["overwrite-dns": ["true"]],
            arguments: ["t", "h"]),
        // The end of flags, and a single dash.
        Case(line: "tunnel run -- --odd", command: "tunnel run", values: [:], arguments: ["--odd"]),
        Case(line: "tunnel run -", command: "tunnel run", values: [:], arguments: ["-"]),
        // A command below one that is not here.
        Case(
            line: "tail token --output json T", command: "tail token", values: ["log-output": ["json"]],
            arguments: ["T"]),
        Case(
            line: "tunnel route ip list -nsub 10.0.0.0/8", command: "tunnel route ip list",
            values: ["filter-network-is-subset-of": ["10.0.0.0/8"]]),
        Case(
            line: "tunnel vnet update -d -n b a", command: "tunnel vnet update",
            values: ["default": ["true"], "name": ["b"]], arguments: ["a"]),
        // A value may look like a flag or like a command.
        Case(
            line: "tunnel --name run --label --x run", command: "tunnel run",
            values: ["name": ["run"], "label": ["--x"]]),
        // Go numbers and durations.
        Case(
            line: "tunnel --ha-connections 0x10 --retries 010 run", command: "tunnel run",
            values: ["ha-connections": ["16"], "retries": ["8"]]),
        Case(line: "tunnel --grace-period 1m30s run", command: "tunnel run", values: ["grace-period": ["1m30s"]]),
        // Flags without effect are accepted.
        Case(
            line: "tunnel --no-autoupdate --no-prechecks run", command: "tunnel run",
            values: ["no-autoupdate": ["true"], "no-prechecks": ["true"]]),
        Case(
            line: "--no-autoupdate tunnel run --proxy-dns-port 53", command: "tunnel run",
            values: ["no-autoupdate": ["true"], "proxy-dns-port": ["53"]]),
        // The root is the bare tunnel command.
        Case(line: "--hostname h --url u", command: "cloudflared", values: ["hostname": ["h"], "url": ["u"]]),
        Case(
            line: "tunnel --bastion --bastion-allow a:1 --bastion-allow 10.0.0.0/8", command: "tunnel",
            values: ["bastion": ["true"], "bastion-allow": ["a:1", "10.0.0.0/8"]]),
        Case(
            line: "tunnel --bastion-allow a:1 10.0.0.0/8 c,d --bastion", command: "tunnel",
            values: ["bastion": ["true"], "bastion-allow": ["a:1", "10.0.0.0/8", "c", "d"]]),
        // They end where a command begins, and never swallow the name of a tunnel.
        Case(
            line: "tunnel --bastion-allow a:1 b run home", command: "tunnel run",
            values: ["bastion-allow": ["a:1", "b"]], arguments: ["home"]),
        Case(
            line: "tunnel run --bastion-allow a:1,b home", command: "tunnel run",
            values: ["bastion-allow": ["a:1", "b"]], arguments: ["home"]),
        Case(
            line: "tunnel --edge a:1,b:2 --edge c:3 run", command: "tunnel run",
            values: ["edge": ["a:1", "b:2", "c:3"]]),
    ]

    @Test(arguments: cases) func `a command line is read as the official client reads it`(_ expected: Case) throws {
        let read = try invocation(expected.line)
        let words = read.words.count > 1 ? Array(read.words.dropFirst()) : read.words
        #expect(words.joined(separator: " ") == expected.command)
        #expect(read.given.mapValues(\.values) == expected.values)
        #expect(read.arguments == expected.arguments)
    }

    @Test(arguments: [
        ("tunnel --urll x", "unknown flag --urll for 'cloudflared tunnel'; did you mean --url?"),
        ("tunnel run --edg=secret", "unknown flag --edg for 'cloudflared tunnel run'; did you mean --edge?"),
        (
            "tunnel list --edge a",
            "unknown flag --edge for 'cloudflared tunnel list'; see 'cloudflared tunnel list --help'"
        ),
        (
            "access tcp --grace-period 3s",
            "unknown flag --grace-period for 'cloudflared access tcp'; see 'cloudflared access tcp --help'"
        ),
        ("tunnle run", "unknown command 'tunnle' for 'cloudflared'; did you mean 'tunnel'?"),
        ("tunnel rum", "unknown command 'rum' for 'cloudflared tunnel'; did you mean 'run'?"),
        ("bogus", "unknown command 'bogus' for 'cloudflared'"),
        ("tunnel --edge", "flag --edge needs a value: a text"),
        ("tunnel --retries many run", "invalid value \"many\" for flag --retries: expected a whole number"),
        (
            "tunnel --grace-period 10 run",
            "invalid value \"10\" for flag --grace-period: expected a duration with its unit, such as 30s or 1m30s"
        ),
        ("tunnel --bastion=maybe", "invalid value \"maybe\" for flag --bastion: expected true or false"),
        ("tunnel run --protocol http2 -p quic", "--protocol is given in two forms, --protocol and --p; use one"),
    ])
    func `a wrong command line is one clear line`(line: String, message: String) {
        let error = #expect(throws: CommandError.self) { try invocation(line) }
        #expect(error?.description == message)
        #expect(error?.exitCode == .usage)
    }

    @Test(arguments: [
        "tail", "tail x", "tunnel diag --metrics a", "proxy-dns --x", "tunnel db-connect y",
    ])
    func `what is not built says so`(line: String) {
        let error = #expect(throws: CommandError.self) { try invocation(line) }
        #expect(error?.code == .unavailableCommand)
        #expect(error?.exitCode == .failure)
    }

    @Test(arguments: ["--version", "-v", "-V", "version", "-version", "--loglevel x --version"])
    func `the version is asked for in many ways`(line: String) throws {
        guard case .version(let isShort) = try ArgumentNormalizer.read(line.split(separator: " ").map(String.init))
        else {
            Issue.record("no version")
            return
        }
        #expect(!isShort)
    }

    @Test(arguments: [
        ("tunnel run --help", 3), ("-h", 1), ("help tunnel run", 3), ("tunnel help", 2), ("access rdp -h", 3), ("h", 1),
    ])
    func `help is found at every level`(line: String, depth: Int) throws {
        guard case .help(let path) = try ArgumentNormalizer.read(line.split(separator: " ").map(String.init)) else {
            Issue.record("no help")
            return
        }
        #expect(path.count == depth)
    }

    @Test func `no input makes it trap`() {
        var generator = SeededGenerator(seed: 7)
        let alphabet = [
            "-", "--", "=", "tunnel", "run", "--edge", "-h=", "--=", "---x", "=x", "", "\u{0}", "-n", "access", "ä",
            "--bastion", "0x", "_",
        ]
        for _ in 0..<20_000 {
            let words = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                (alphabet.randomElement(using: &generator) ?? "")
                    + (Bool.random(using: &generator) ? "" : alphabet.randomElement(using: &generator) ?? "")
            }
            _ = try? ArgumentNormalizer.read(words)
        }
    }
}

struct FlagTextTests {
    @Test(arguments: [
        ("0x1F", 31), ("0b101", 5), ("0o17", 15), ("017", 15), ("1_000", 1000), ("-5", -5), ("+5", 5), ("0", 0),
    ])
    func `whole numbers in Go's forms`(text: String, value: Int) {
        #expect(FlagText.integer(text) == value)
    }

    @Test(arguments: ["", "-", "1.5", "0x", "_1", "1_", "1__0", "--1", "9999999999999999999", "08", "ten"])
    func `others are refused`(text: String) {
        #expect(FlagText.integer(text) == nil)
    }
}
