import Foundation
import Logging
import ServiceHost
import Testing
import TunnelConfig

@testable import CloudflaredCommands

struct ProgramTests {
    let home: Home

    init() throws { home = try Home() }

    struct Ending: Sendable {
        var line: String
        var code: Int32
        /// With `CLOUDFLARED_COMPAT_EXIT=1`.
        var official: Int32
        /// A part of standard error.
        var error: String
    }

    @Test(arguments: [
        Ending(
            line: "tunnel run --protocol quic --token \(Sample.token)", code: 2, official: 0,
            error: "QUIC is not in this version"),
        Ending(line: "access tcp --hostname h.test --url 192.0.2.1:9", code: 69, official: 1, error: "192.0.2.1:9"),
        Ending(line: "tunnel run --bogus", code: 2, official: 0, error: "unknown flag --bogus"),
        Ending(line: "nonsense", code: 2, official: 0, error: "unknown command 'nonsense'"),
        Ending(line: "", code: 2, official: 0, error: "nothing to do"),
        Ending(line: "access", code: 2, official: 0, error: "needs a command: tcp"),
        Ending(line: "tunnel route", code: 2, official: 0, error: "needs a command: dns"),
        Ending(line: "tunnel run", code: 2, official: 0, error: "no tunnel to run"),
        Ending(line: "tunnel run a b", code: 2, official: 0, error: "'cloudflared tunnel run --help'"),
        Ending(line: "tunnel create", code: 2, official: 0, error: "name"),
        Ending(line: "tunnel --config /none.yml run", code: 78, official: 1, error: "/none.yml"),
        Ending(line: "tunnel run --token junk", code: 78, official: 1, error: "the tunnel token is not valid"),
        Ending(line: "tunnel run --token-file /none", code: 78, official: 1, error: "/none"),
        Ending(line: "tunnel list", code: 78, official: 1, error: "no account certificate found"),
        Ending(line: "tunnel --metrics 127.0.0.1:1 ready", code: 69, official: 1, error: "no connector answers"),
        Ending(line: "tail", code: 1, official: 1, error: "not in this version"),
        Ending(line: "proxy-dns", code: 1, official: 1, error: "was removed"),
        Ending(line: "management", code: 2, official: 0, error: "needs a command: token"),
        Ending(line: "management token t", code: 2, official: 0, error: "--resource"),
        Ending(line: "tunnel route ip add 10.0.0.0 t", code: 2, official: 0, error: "\"10.0.0.0\" is no network"),
        Ending(line: "tunnel route ip get x", code: 2, official: 0, error: "\"x\" is no address"),
        Ending(line: "tunnel route lb t app.test *", code: 2, official: 0, error: "is no name of a pool"),
        Ending(line: "tunnel vnet update x", code: 2, official: 0, error: "nothing to change"),
        Ending(line: "tunnel vnet delete x", code: 78, official: 1, error: "no account certificate found"),
        Ending(line: "login --loginURL http://x.test", code: 2, official: 0, error: "--loginURL"),
        Ending(line: "access login", code: 2, official: 0, error: "no application is given"),
        Ending(line: "access token a\\b", code: 2, official: 0, error: "the application's URL cannot be used"),
        Ending(line: "access curl -X POST", code: 2, official: 0, error: "give the URL first"),
        Ending(line: "access ssh-gen", code: 2, official: 0, error: "--hostname is missing"),
        Ending(
            line: "access --auth-domain https://x login h.test", code: 78, official: 1, error: "is no team domain"),
        Ending(line: "tunnel --url http://localhost:8080", code: 2, official: 0, error: "quick tunnel"),
        Ending(line: "access rdp", code: 2, official: 0, error: "--hostname is missing"),
        Ending(line: "access tcp --hostname h.test --url ftp://x", code: 2, official: 0, error: "--url"),
    ])
    func `each way to fail has its line and its exit code`(_ ending: Ending) async throws {
        let run = try await home.run(ending.line)
        #expect(run.code == ending.code)
        #expect(run.errors.contains(ending.error), "\(run.errors)")
        #expect(run.output.isEmpty)
        #expect(
            run.errors.split(separator: "\n").filter { !$0.contains(" WRN ") && !$0.contains(" INF ") }.count == 1,
            "\(run.errors)")
        let official = try await home.run(ending.line, environment: ["CLOUDFLARED_COMPAT_EXIT": "1"])
        #expect(official.code == ending.official)
    }

    @Test func `help and version are printed and no failure`() async throws {
        #expect(try await home.run("--version").output == BuildInfo.current.line + "\n")
        #expect(try await home.run("version --short").output == "2026.11.0\n")
        let help = try await home.run("tunnel run --help")
        #expect(
            help.code == 0 && help.output.contains("USAGE: cloudflared tunnel run")
                && help.output.contains("--token-file"))
        let root = try await home.run("help")
        #expect(root.output.contains("tunnel") && root.output.contains("access"))
        #expect(root.output.contains("\n  login") && root.output.contains("\n  service"))
        let completion = try await home.run("--generate-completion-script bash")
        #expect(completion.code == 0 && completion.output.contains("cloudflared"))
    }

    @Test func `update says who updates, and asks nobody`() async throws {
        let run = try await home.run("update --beta --version 2026.1.0")
        #expect(run.code == 0 && run.errors.isEmpty)
        #expect(run.output.contains("does not update itself") && run.output.contains("apt install"))
    }

    @Test func `what is accepted without effect is said once, what holds anyway is not`() async throws {
        let path = try home.write("quick-service: https://x.test\ntunnel: t\n", to: "config.yml")
        let run = try await home.run(
            "tunnel --config \(path) --no-autoupdate --heartbeat-count 3 --ui run --token junk")
        let lines = run.errors.split(separator: "\n").filter { $0.contains("Without effect") }
        #expect(lines.count == 1)
        #expect(lines.first?.contains("this version: heartbeat-count, quick-service, ui") == true, "\(run.errors)")
        #expect(!run.errors.contains("no-autoupdate"))
    }

    @Test func `a broken configuration file names file, line and key`() async throws {
        let path = try home.write("ingress:\n- service: localhost\n", to: "config.yml")
        let run = try await home.run("tunnel --config \(path) --metrics 192.0.2.1:1 run --token \(Sample.token)")
        #expect(run.code == 78)
        #expect(run.errors.contains("\(path):2:"), "\(run.errors)")
    }

    @Test func `access does not read the configuration file`() async throws {
        try home.write("::: broken", to: ".cloudflared/config.yml")
        #expect(try await home.run("access tcp").errors.contains("--hostname is missing"))
        #expect(try await home.run("tunnel list").code == 78)
    }

    @Test func `rules are validated and matched`() async throws {
        let path = try home.write(
            """
            tunnel: t
            ingress:
            - hostname: rdp.example.com
              service: rdp://localhost:3389
            - hostname: "*.example.com"
              path: ^/api
              service: http://localhost:8080
            - service: http_status:404
            """, to: "config.yml")
        let validated = try await home.run("tunnel --config \(path) ingress validate")
        #expect(validated.code == 0 && validated.output.hasSuffix("OK\n") && validated.output.contains(path))
        let matched = try await home.run("tunnel --config \(path) ingress rule https://a.example.com/api/x")
        #expect(
            matched.output.contains(
                "Matched rule #1\n\thostname: *.example.com\n\tpath: ^/api\n\tservice: http://localhost:8080"))
        #expect(try await home.run("tunnel --config \(path) ingress rule nourl").code == 2)
        #expect(try await home.run("tunnel ingress validate").code == 78)
        let bad = try home.write("ingress:\n- service: nonsense\n", to: "bad.yml")
        let refused = try await home.run("tunnel ingress validate --config \(bad)")
        #expect(refused.code == 78 && refused.errors.hasPrefix("Validation failed"))
        let json = #"{"ingress":[{"service":"http_status:404"}]}"#
        #expect(try await home.run("tunnel ingress validate --json \(json)").output.hasSuffix("OK\n"))
    }

    @Test func `no way of starting prints a secret`() async throws {
        let token = Sample.token
        for (line, environment) in [
            ("--loglevel trace tunnel --metrics 192.0.2.1:1 run --token \(token)", [String: String]()),
            (
                "tunnel --metrics 192.0.2.1:1 run",
                ["TUNNEL_TOKEN": token, "TUNNEL_CRED_CONTENTS": "x\(token)", "TUNNEL_MANAGEMENT_TOKEN": "m\(token)"]
            ),
            (
                "access tcp --hostname h.test --url 192.0.2.1:1 --service-token-id i --service-token-secret \(token)",
                [:]
            ),
        ] {
            let run = try await home.run(line, environment: environment)
            #expect(!run.errors.contains(token) && !run.output.contains(token), "\(run.errors)")
        }
    }

    @Test func `the official first lines are logged`() async throws {
        let log = home.path + "/log.json"
        // Ends at an address for metrics that cannot be had.
        _ = try await home.run(
            "tunnel --logfile \(log) --metrics 192.0.2.1:1 run --token \(Sample.token)",
            environment: ["TUNNEL_RETRIES": "3"])
        let text = try home.read("log.json")
        for part in [
            #""message":"Starting tunnel""#, #""tunnelID":"\#(Sample.tunnelID)""#, #""message":"Version 2026.11.0""#,
            "GOOS: linux", "Settings: map[logfile:\(log) metrics:192.0.2.1:1 retries:3 token:*****]",
            "Environmental variables map[TUNNEL_RETRIES:3]", "Generated Connector ID: ", "Initial protocol http2",
        ] {
            #expect(text.contains(part), "\(part)\n\(text)")
        }
    }

    @Test func `hostile text in an error stays on one line`() async throws {
        let run = try await home.run("tunnel run --protocol x\u{1b}[2J\u{7}y --token \(Sample.token)")
        #expect(!run.errors.contains("\u{1b}") && !run.errors.contains("\u{7}"))
    }
}

struct ReadyCommandTests {
    @Test(.timeLimit(.minutes(1)), arguments: [(1, Int32(0)), (0, Int32(69))])
    func `ready asks a running endpoint`(connections: Int, code: Int32) async throws {
        let home = try Home()
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let endpoint = MetricsEndpoint(
            address: .fixed(host: "127.0.0.1", port: 0), registry: MetricsRegistry(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            readiness: { ReadinessReport(readyConnections: connections, connectorID: "id") },
            onListening: { continuation.yield($0 ?? 0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await endpoint.run()
            }
            for await port in ports {
                let run = try await home.run("tunnel --metrics 127.0.0.1:\(port) ready")
                #expect(run.code == code, "\(run)")
                #expect((run.output + run.errors).contains("\"readyConnections\":\(connections)"))
                break
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}

struct ExecutableTests {
    /// The program next to the test bundle; built with it.
    static var executable: String {
        var directory = URL(fileURLWithPath: CommandLine.arguments.first ?? "").deletingLastPathComponent()
        while directory.path != "/" {
            let candidate = directory.appendingPathComponent("cloudflared").path
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
            directory.deleteLastPathComponent()
        }
        return ".build/debug/cloudflared"
    }

    @Test(arguments: [
        ("version --short", Int32(0)), ("tunnel --bogus", 2), ("tail", 1), ("tunnel --config /none run", 78),
    ])
    func `the real program ends with the documented code`(line: String, code: Int32) throws {
        let (process, output) = try start(line)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == code, "\(text)")
        if code == 0 {
            #expect(text == "2026.11.0\n")
        } else {
            #expect(text.split(separator: "\n").count == 1, "\(text)")
        }
    }
}

extension ExecutableTests {
    func start(_ line: String) throws -> (Process, Pipe) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.executable)
        process.arguments = line.split(separator: " ").map(String.init)
        process.environment = ["HOME": "/nonexistent"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        return (process, output)
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("access tcp --hostname h.test --url localhost:0", "Start Websocket listener"),
            ("tunnel --edge 127.0.0.1:1 --metrics 127.0.0.1:0 run --token \(Sample.token)", "Starting metrics server"),
        ])
    func `SIGTERM ends a running program with 0`(line: String, sign: String) throws {
        let (process, output) = try start(line)
        var text = ""
        while !text.contains(sign) {
            let part = output.fileHandleForReading.availableData
            try #require(!part.isEmpty, "\(text)")
            text += String(decoding: part, as: UTF8.self)
        }
        process.terminate()
        text += String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0, "\(text)")
        #expect(text.contains("due to signal terminated"), "\(text)")
    }
}

struct OutputTests {
    @Test func `tables are padded as by the official client`() {
        #expect(TextTable.lines([["ID", "NAME"], ["1", "longer"]]) == ["ID NAME   ", "1  longer "])
    }

    @Test func `JSON has two spaces and an empty list stays one`() throws {
        struct Item: Encodable {
            var name = "a\"{[:,"
            var list: [Int] = [1, 2]
            var none: [Int] = []
        }
        #expect(try JSONOutput.text([Int]()) == "[]")
        #expect(
            try JSONOutput.text([Item()]) == """
                [
                  {
                    "list": [
                      1,
                      2
                    ],
                    "name": "a\\"{[:,",
                    "none": []
                  }
                ]
                """)
    }

    @Test(arguments: [
        ("App.Example.com", "app.example.com"), ("*.example.com", "*.example.com"),
        ("_x.example.com", "_x.example.com"),
    ])
    func `host names of routes`(text: String, expected: String) throws {
        #expect(try RouteDNSCommand.checked(text) == expected)
    }

    @Test(arguments: ["", "a b", "a/b", "a..b", "http://a", "*", "a.*.b", "x:1"])
    func `what is no host name is refused`(text: String) {
        #expect(throws: CommandError.self) { try RouteDNSCommand.checked(text) }
    }

    @Test func `files are searched in the official order`() throws {
        let paths = SearchPaths(environment: ["HOME": "/home/a"])
        #expect(
            paths.directories == [
                "/home/a/.cloudflared", "/home/a/.cloudflare-warp", "/home/a/cloudflare-warp", "/etc/cloudflared",
                "/usr/local/etc/cloudflared",
            ])
        #expect(SearchPaths(environment: [:]).directories == ["/etc/cloudflared", "/usr/local/etc/cloudflared"])
        let home = try Home()
        let found = SearchPaths(environment: ["HOME": home.path])
        try home.write("", to: ".cloudflare-warp/config.yml")
        #expect(found.configurationFile == home.path + "/.cloudflare-warp/config.yml")
        try home.write("", to: ".cloudflared/config.yaml")
        #expect(found.configurationFile == home.path + "/.cloudflared/config.yaml")
        try home.write("", to: ".cloudflared/config.yml")
        #expect(found.configurationFile == home.path + "/.cloudflared/config.yml")
    }

    @Test func `a credentials file is private and never overwritten`() throws {
        let home = try Home()
        let path = home.path + "/c.json"
        try CredentialsFile.write(Sample.credentials, to: path)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o400)
        #expect(try CredentialsFile.read(path) == Sample.credentials)
        #expect(throws: CommandError.self) { try CredentialsFile.write(Sample.credentials, to: path) }
    }
}
