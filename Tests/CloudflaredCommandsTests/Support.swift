import Foundation
import Logging
import ServiceHost
import TunnelConfig

@testable import CloudflaredCommands

/// What one run of the program printed, and how it ended.
struct Run {
    var code: Int32
    var output: String
    var errors: String
}

/// A home directory of its own, so that files of the host have no say.
final class Home: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("host-home-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        let file = "\(path)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        return file
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }

    /// Runs the program in this process.
    func run(_ line: String, environment: [String: String] = [:]) async throws -> Run {
        let errors = "\(path)/errors-\(UUID().uuidString)"
        let lines = Lines()
        var variables = environment
        variables["HOME"] = variables["HOME"] ?? path
        variables["NO_COLOR"] = "1"
        let program = CloudflaredProgram(
            environment: variables, console: try LogSink.file(path: errors), print: { lines.append($0) })
        let code = await program.run(line.split(separator: " ").map(String.init))
        return Run(
            code: code, output: lines.text,
            errors: (try? String(contentsOfFile: errors, encoding: .utf8)) ?? "")
    }

    func context(
        _ words: String = "cloudflared tunnel run", file: ConfigFile? = nil, environment: [String: String] = [:]
    ) -> CommandContext {
        var variables = environment
        variables["HOME"] = path
        return CommandContext(
            environment: variables, configuration: file,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            words: words.split(separator: " ").map(String.init), settings: [:], print: { _ in })
    }
}

/// Lines that a program printed.
final class Lines: @unchecked Sendable {
    // Safety: guarded by the lock.
    private let lock = NSLock()
    private var lines: [String] = []

    func append(_ line: String) { lock.withLock { lines.append(line) } }
    var text: String { lock.withLock { lines.map { $0 + "\n" }.joined() } }
}

enum Sample {
    static let tunnelID = "a3b1c5d2-0f1e-4a2b-8c3d-112233445566"

    static let credentials = TunnelCredentials(
        accountTag: "account", tunnelSecret: TunnelSecret(Array(repeating: 7, count: 32)),
        tunnelID: UUID(uuidString: tunnelID) ?? UUID())

    static var token: String { TunnelToken.encode(credentials) }
}
