import Foundation
import Testing

@testable import CloudflaredCommands

struct ServiceUnitTests {
    private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test(arguments: [("cloudflared.service", false), ("cloudflared@.service", true)])
    func `the program writes the unit that the package carries`(name: String, isTemplate: Bool) throws {
        let file = try String(contentsOf: Self.package.appendingPathComponent("systemd/\(name)"), encoding: .utf8)
        let start = try #require(file.range(of: "[Unit]\n"))
        #expect(
            String(file[start.lowerBound...])
                == ServiceUnit.definition(program: "/usr/bin/cloudflared", isTemplate: isTemplate))
    }

    /// How much of the host a service could do harm to, from 0 to 10, as systemd counts it.
    @Test(arguments: [
        ("cloudflared.service", 1.5), ("cloudflared@.service", 1.5), ("cloudflared-edge.service", 2.0),
    ])
    func `systemd finds little to attack`(name: String, limit: Double) throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/systemd-analyze")
        process.arguments = [
            "security", "--offline=true", "--no-pager", "--threshold=\(Int(limit * 10))",
            Self.package.appendingPathComponent("systemd/\(name)").path,
        ]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        let line = try #require(text.split(separator: "\n").last { $0.contains("Overall exposure level") })
        let words = line.split(separator: " ")
        let colon = try #require(words.firstIndex { $0.hasSuffix(".service:") })
        let score = try #require(Double(words[colon + 1]))
        print("\(name): exposure \(score), at most \(limit)")
        #expect(score <= limit && process.terminationStatus == 0)
    }

    @Test func `whose a unit is can be told from its text`() {
        let run = "[Service]\nExecStart=/usr/bin/cloudflared --no-autoupdate "
        #expect(ServiceUnit.owner(of: ServiceUnit.text(program: "/x", isTemplate: true)) == .this)
        #expect(ServiceUnit.owner(of: run + "tunnel run --token=T\n") == .official(token: .inline("T")))
        #expect(ServiceUnit.owner(of: run + "tunnel run --token-file /f\n") == .official(token: .file("/f")))
        #expect(ServiceUnit.owner(of: run + "--config /c tunnel run\n") == .official(token: .none))
        #expect(ServiceUnit.owner(of: "[Service]\nExecStart=/usr/bin/other tunnel\n") == .somebody)
        #expect(ServiceUnit.owner(of: "") == .somebody)
    }
}
