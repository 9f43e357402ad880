import Foundation
import Synchronization

/// What a program has said so far, and how it ended.
struct Output: Sendable {
    enum Stream: Sendable { case standardOutput, standardError }

    var lines: [(stream: Stream, text: String)] = []
    /// The exit status once the program has ended; 128 + N when signal N ended it.
    var status: Int32?
    var openStreams = 2

    /// Whether nothing more can come.
    var isComplete: Bool { status != nil && openStreams == 0 }
    var standardOutput: String { text(of: .standardOutput) }
    var standardError: String { text(of: .standardError) }

    private func text(of stream: Stream) -> String {
        lines.filter { $0.stream == stream }.map(\.text).joined(separator: "\n")
    }
}

/// A wait that was in vain, with the program's last words.
struct NotSeen: Error, CustomStringConvertible {
    let description: String
}

/// A process under test. Its output is read line by line, so a test waits for what it says and never for time.
final class Program: Sendable {
    private typealias Attempt = @Sendable (_ output: Output, _ expired: Bool) -> Bool

    private struct State {
        var output = Output()
        var attempts: [UUID: Attempt] = [:]

        mutating func reconsider() {
            for (id, attempt) in attempts where attempt(output, false) { attempts[id] = nil }
        }
    }

    let name: String
    private let process = Process()
    private let input = Pipe()
    private let state = Mutex(State())

    /// Starts a program. Its standard input stays open until `stop`; the fixtures end when it closes.
    /// - Parameter input: what it reads on standard input, followed by its end; nil keeps the input open and silent.
    init(_ arguments: [String], environment: [String: String], directory: URL, input text: String? = nil) throws {
        name = arguments.prefix(3).map { $0.split(separator: "/").last.map(String.init) ?? $0 }.joined(separator: " ")
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.environment = environment
        process.currentDirectoryURL = directory
        process.standardInput = input
        let pipes = [(Output.Stream.standardOutput, Pipe()), (.standardError, Pipe())]
        process.standardOutput = pipes[0].1
        process.standardError = pipes[1].1
        process.terminationHandler = { [self] process in
            let status = process.terminationStatus
            change { $0.status = process.terminationReason == .exit ? status : 128 + status }
        }
        try Self.withSignalsUnblocked { try process.run() }
        for (stream, pipe) in pipes { read(stream, from: pipe.fileHandleForReading) }
        if let text {
            try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
            try input.fileHandleForWriting.close()
        }
    }

    var output: Output { state.withLock { $0.output } }
    var processIdentifier: Int32 { process.processIdentifier }

    /// Waits until `find` returns a value for what the program has said.
    /// - Throws: `NotSeen` after `seconds`, or at once when the program has ended without it.
    @discardableResult
    func seen<Found: Sendable>(
        _ what: String, within seconds: Double = 30, _ find: @escaping @Sendable (Output) -> Found?
    ) async throws -> Found {
        try await withCheckedThrowingContinuation { continuation in
            let id = UUID()
            let name = name
            let attempt: Attempt = { output, expired in
                if let found = find(output) {
                    continuation.resume(returning: found)
                    return true
                }
                guard expired || output.isComplete else { return false }
                let how = output.status.map { "it ended with status \($0)" } ?? "not within \(seconds) s"
                continuation.resume(
                    throwing: NotSeen(description: "\(name): \(what): \(how)\n\(output.lastWords)"))
                return true
            }
            state.withLock { if !attempt($0.output, false) { $0.attempts[id] = attempt } }
            DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { [self] in
                state.withLock { state in
                    if let attempt = state.attempts.removeValue(forKey: id) { _ = attempt(state.output, true) }
                }
            }
        }
    }

    /// Waits for a line that contains `text`, and returns it.
    @discardableResult
    func says(_ text: String, within seconds: Double = 30) async throws -> String {
        try await seen("says “\(text)”", within: seconds) { output in
            output.lines.first { $0.text.contains(text) }?.text
        }
    }

    /// Waits until the program has ended and all its output is read.
    func ended(within seconds: Double = 60) async throws -> Output {
        try await seen("ends", within: seconds) { $0.isComplete ? $0 : nil }
    }

    func signal(_ number: Int32) {
        if process.isRunning { kill(process.processIdentifier, number) }
    }

    /// Asks the program to end, and makes it end when it does not.
    @discardableResult
    func stop(within seconds: Double = 15) async -> Output {
        try? input.fileHandleForWriting.close()
        signal(SIGTERM)
        if let output = try? await ended(within: seconds) { return output }
        signal(SIGKILL)
        return (try? await ended(within: 5)) ?? output
    }

    private func change(_ body: (inout Output) -> Void) {
        state.withLock {
            body(&$0.output)
            $0.reconsider()
        }
    }

    /// Test threads block signals, and a child would inherit that and never hear that it should end.
    private static func withSignalsUnblocked(_ body: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    /// A thread per stream: a read may block as long as the program lives.
    private func read(_ stream: Output.Stream, from handle: FileHandle) {
        Thread.detachNewThread { [self] in
            var rest = Data()
            while case let data = handle.availableData, !data.isEmpty {
                rest += data
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = String(decoding: rest[..<end], as: UTF8.self)
                    rest = Data(rest[(end + 1)...])
                    change { $0.lines.append((stream, line)) }
                }
            }
            change {
                if !rest.isEmpty { $0.lines.append((stream, String(decoding: rest, as: UTF8.self))) }
                $0.openStreams -= 1
            }
        }
    }
}

extension Output {
    /// What to show when something went wrong.
    var lastWords: String { lines.suffix(20).map { "    \($0.text)" }.joined(separator: "\n") }
}
