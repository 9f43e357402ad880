import Foundation
import Synchronization
import Testing

/// What one test has started, in a scratch directory of its own. All of it is gone when the test ends.
final class Stage: Sendable {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let fixtures = package.appendingPathComponent("Tests/SystemTests/fixtures")
    /// Where the executables under test lie; `Tests/run` names the release build.
    static let binaries = URL(
        fileURLWithPath: ProcessInfo.processInfo.environment["CLOUDFLARED_BIN_DIR"] ?? ".build/debug",
        relativeTo: package)
    /// An official client, when one is there to be tried against.
    static let peer = ProcessInfo.processInfo.environment["CLOUDFLARED_PEER"]

    let scratch: URL
    private let programs = Mutex<[Program]>([])

    private init() throws {
        scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("cloudflared-system-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
    }

    /// Runs a test, then ends whatever it started, latest first.
    static func run(_ test: (Stage) async throws -> Void) async throws {
        let stage = try Stage()
        do {
            try await test(stage)
        } catch {
            let words = stage.programs.withLock { $0 }.map { "── \($0.name)\n\($0.output.lastWords)" }
            Issue.record("\(error)\n\(words.joined(separator: "\n"))")
        }
        for program in stage.programs.withLock({ $0 }).reversed() { await program.stop() }
        try FileManager.default.removeItem(at: stage.scratch)
    }

    static func executable(_ name: String) -> String { binaries.appendingPathComponent(name).path }

    /// A program that stays until the test ends.
    func start(_ arguments: [String], environment: [String: String] = [:], input: String? = nil) throws -> Program {
        // A home of its own keeps the test away from the certificates and settings of whoever runs it.
        var all = ["HOME": scratch.path, "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"]
        all["LANG"] = "C.UTF-8"
        all.merge(environment) { $1 }
        let program = try Program(arguments, environment: all, directory: scratch, input: input)
        programs.withLock { $0.append(program) }
        return program
    }

    /// Runs a command to its end.
    func finish(
        _ arguments: [String], environment: [String: String] = [:], input: String? = nil, within seconds: Double = 60
    ) async throws -> Output {
        try await start(arguments, environment: environment, input: input ?? "").ended(within: seconds)
    }

    func write(_ text: String, to name: String) throws -> String {
        let file = scratch.appendingPathComponent(name)
        try Data(text.utf8).write(to: file)
        return file.path
    }
}

// MARK: - Fixtures

extension Stage {
    /// Starts a server fixture and reads the facts that it prints when ready.
    func fixture<Facts: Decodable & Sendable>(
        _ arguments: String..., as facts: Facts.Type, asRoot: Bool = false
    ) async throws -> (program: Program, facts: Facts) {
        try await fixture(arguments, as: facts, asRoot: asRoot)
    }

    func fixture<Facts: Decodable & Sendable>(
        _ arguments: [String], as facts: Facts.Type, asRoot: Bool = false, environment: [String: String] = [:]
    ) async throws -> (program: Program, facts: Facts) {
        let path = Self.fixtures.appendingPathComponent(arguments[0]).path
        let prefix = asRoot && geteuid() != 0 ? ["sudo", "-n"] : []
        let program = try start(
            prefix + [path] + arguments.dropFirst(),
            environment: environment.merging(["PYTHONDONTWRITEBYTECODE": "1"]) { $1 })
        let line = try await program.seen("is ready", within: 60) { output in
            output.lines.first { $0.stream == .standardOutput }?.text
        }
        return (program, try JSONDecoder().decode(Facts.self, from: Data(line.utf8)))
    }

    /// Runs a client fixture to its end.
    func call(
        _ arguments: String..., environment: [String: String] = [:], within seconds: Double = 150
    ) async throws -> Output {
        let path = Self.fixtures.appendingPathComponent(arguments[0]).path
        return try await finish(
            [path] + arguments.dropFirst(),
            environment: environment.merging(["PYTHONDONTWRITEBYTECODE": "1"]) { $1 }, within: seconds)
    }

    /// Waits for a state outside the programs; see the `await-state` fixture.
    func await(_ kind: String, _ what: String, within seconds: Int = 30) async throws {
        let output = try await call("await-state", "\(seconds)", kind, what, within: Double(seconds + 10))
        if output.status != 0 { throw NotSeen(description: output.standardError) }
    }
}

/// A port that nothing uses now. Whoever takes it should do so soon.
func freePort() throws -> Int {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            bind(socket, generic, length) == 0 ? getsockname(socket, generic, &length) : -1
        }
    }
    guard result == 0 else { throw NotSeen(description: "no free port: errno \(errno)") }
    return Int(UInt16(bigEndian: address.sin_port))
}
