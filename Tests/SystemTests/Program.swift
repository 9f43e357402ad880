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
    let processIdentifier: Int32
    private let input: FileHandle
    private let state = Mutex(State())

    /// Starts a program. Its standard input stays open until `stop`; the fixtures end when it closes.
    /// - Parameter input: what it reads on standard input, followed by its end; nil keeps the input open and silent.
    init(_ arguments: [String], environment: [String: String], directory: URL, input text: String? = nil) throws {
        name = arguments.prefix(3).map { $0.split(separator: "/").last.map(String.init) ?? $0 }.joined(separator: " ")
        let pipes = [Pipe(), Pipe(), Pipe()]
        for pipe in pipes {
            for end in [pipe.fileHandleForReading, pipe.fileHandleForWriting] {
                _ = fcntl(end.fileDescriptor, F_SETFD, FD_CLOEXEC)
            }
        }
        processIdentifier = try spawn(
            ["/usr/bin/env", "--chdir", directory.path] + arguments, environment: environment,
            streams: [
                pipes[0].fileHandleForReading.fileDescriptor, pipes[1].fileHandleForWriting.fileDescriptor,
                pipes[2].fileHandleForWriting.fileDescriptor,
            ])
        input = pipes[0].fileHandleForWriting
        // The child's ends are the child's alone, so that their end is seen here.
        try pipes[0].fileHandleForReading.close()
        for (stream, pipe) in [(Output.Stream.standardOutput, pipes[1]), (.standardError, pipes[2])] {
            try pipe.fileHandleForWriting.close()
            read(stream, from: pipe.fileHandleForReading)
        }
        awaitEnd()
        if let text {
            try input.write(contentsOf: Data(text.utf8))
            try input.close()
        }
    }

    var output: Output { state.withLock { $0.output } }

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

    /// Writes a line to the program's standard input, and waits for the line with which it answers.
    func answer(to order: String, within seconds: Double = 60) async throws -> String {
        let said = output.lines.filter { $0.stream == .standardOutput }.count
        try input.write(contentsOf: Data((order + "\n").utf8))
        return try await seen("answers “\(order)”", within: seconds) { output in
            output.lines.filter { $0.stream == .standardOutput }.dropFirst(said).first?.text
        }
    }

    func signal(_ number: Int32) {
        state.withLock { if $0.output.status == nil { _ = kill(processIdentifier, number) } }
    }

    /// Asks the program to end, and makes it end when it does not.
    @discardableResult
    func stop(within seconds: Double = 15) async -> Output {
        try? input.close()
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

    /// A thread that waits for the end. The process is reaped under the lock, so that no signal goes to a stranger.
    private func awaitEnd() {
        Thread.detachNewThread { [self] in
            var info = siginfo_t()
            while waitid(P_PID, id_t(processIdentifier), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
            change { state in
                var status: Int32 = 0
                waitpid(processIdentifier, &status, 0)
                let signal = status & 0x7f
                state.status = signal == 0 ? (status >> 8) & 0xff : 128 + signal
            }
        }
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

/// Starts a process with these three descriptors as its standard streams; others are closed there if they say so. Not by Foundation's `Process`, which
/// now and then reads past the end of a page when it looks for descriptors to close.
func spawn(_ arguments: [String], environment: [String: String], streams: [Int32]) throws -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, descriptor) in streams.enumerated() {
        posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
    }
    // Test threads block signals, and a child would inherit that and never hear that it should end.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let words = arguments.map { strdup($0) } + [nil]
    let settings = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (words + settings).forEach { free($0) } }
    var identifier: Int32 = 0
    let code = posix_spawn(&identifier, arguments[0], &actions, &attributes, words, settings)
    guard code == 0 else { throw NotSeen(description: "\(arguments[0]) does not start: errno \(code)") }
    return identifier
}
