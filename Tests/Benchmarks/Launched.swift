import Foundation

/// Programs started for the benchmark, ended with it.
final class Launched {
    private var processes: [Process] = []
    let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("cloudflared-bench-\(getpid())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    /// Starts a program whose output goes to a file of its name.
    func start(_ name: String, _ arguments: [String], environment: [String: String] = [:]) throws -> WatchedProcess {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: arguments[0])
        process.arguments = Array(arguments.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let log = directory.appendingPathComponent("\(name)-\(processes.count).log")
        try Data().write(to: log)
        let output = try FileHandle(forWritingTo: log)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        processes.append(process)
        return WatchedProcess(name: name, pid: process.processIdentifier)
    }

    /// Runs a program to its end and returns what it printed.
    @discardableResult
    func run(_ arguments: [String], environment: [String: String] = [:]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: arguments[0])
        process.arguments = Array(arguments.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let pipe = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("\(arguments.joined(separator: " ")) ended with \(process.terminationStatus): \(text)")
        }
        return text
    }

    func stopAll() {
        for process in processes.reversed() where process.isRunning {
            process.terminate()
            process.waitUntilExit()
        }
        // The benchmark's own scratch folder; what it cannot remove stays in /tmp.
        try? FileManager.default.removeItem(at: directory)
    }

    /// Polls until `condition` holds.
    static func wait(_ what: String, seconds: Double = 30, until condition: () -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while !condition() {
            guard ContinuousClock.now < deadline else { throw BenchmarkError("\(what) did not come up") }
            usleep(2_000)
        }
    }

    static func freePort() throws -> Int {
        let (socket, port) = try Socket.listen()
        socket.close()
        return port
    }

    static func isListening(_ port: Int) -> Bool {
        guard let socket = try? Socket.connect(port: port) else { return false }
        socket.close()
        return true
    }
}
