import ArgumentParser
import Testing
import TunnelConfig

@testable import CloudflaredCommands

struct StartSettingsTests {
    private func reading(_ line: String, file text: String) throws -> CommandReading {
        let file = try ConfigFile.parse(text, path: "config.yml")
        guard case .run(let invocation) = try ArgumentNormalizer.read(line.split(separator: " ").map(String.init))
        else { throw CommandError(.usage, line) }
        let resolution = try FlagResolution(
            invocation, environment: [:], configured: ConfigurationFile.values(of: file))
        return CommandReading(
            command: try RunCommand.parse(resolution.commandLine), resolution: resolution, configuration: file)
    }

    @Test func `what a running connector cannot change is named, the rest is not`() throws {
        let first = "tunnel: one\nedge: [a:1]\nmetrics: localhost:1\nloglevel: info\nurl: http://localhost:1\n"
        let start = StartSettings(try reading("tunnel run", file: first))
        #expect(start.needingRestart(try reading("tunnel run", file: first)) == [])
        let changed =
            "tunnel: two\nedge: [a:1, b:1]\nloglevel: debug\nurl: http://localhost:2\nha-connections: 2\n"
            + "tag: [\"a=b\"]\nno-tls-verify: true\n"
        #expect(
            start.needingRestart(try reading("tunnel run", file: changed))
                == ["edge", "ha-connections", "metrics", "tunnel"])
    }

    @Test func `what the command line gives stays, whatever the file says`() throws {
        let start = StartSettings(try reading("tunnel run --edge c:1 one", file: "edge: [a:1]\n"))
        #expect(start.needingRestart(try reading("tunnel run --edge c:1 one", file: "edge: [b:1]\n")) == [])
    }
}
