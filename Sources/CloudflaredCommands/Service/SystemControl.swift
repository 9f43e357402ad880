import Foundation
import Glibc

/// Runs `systemctl`, and does not wait for it for ever.
struct SystemControl: Sendable {
    struct Answer: Sendable {
        /// Nil when the deadline came first.
        var status: Int32?
        /// What it wrote, in one line.
        var text: String

        var isSuccess: Bool { status == 0 }
    }

    var program = "/usr/bin/systemctl"
    /// The directory of a system that is not running; nil for this host.
    var root: String?
    /// Longer than systemd lets a service take to end.
    var deadline = Duration.seconds(60)
    var clock: any Clock<Duration> = ContinuousClock()

    init(program: String = "/usr/bin/systemctl", root: String? = nil) {
        self.program = program
        self.root = root
    }

    func run(_ arguments: [String]) async throws(CommandError) -> Answer {
        let process = Process()
        let output = Pipe()
        let (ends, ended) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .bufferingNewest(1))
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = (root.map { ["--root=\($0)"] } ?? []) + ["--no-ask-password", "--no-pager"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        process.terminationHandler = { process in
            ended.yield(process.terminationReason == .exit ? process.terminationStatus : -1)
            ended.finish()
        }
        do {
            try process.run()
        } catch {
            throw CommandError(.unavailable, "cannot run \(program)", cause: error)
        }
        let status = await withTaskGroup(of: Int32?.self) { [deadline, clock] children in
            children.addTask { await ends.first { _ in true } }
            children.addTask {
                try? await clock.sleep(for: deadline)
                return nil
            }
            let first = await children.next() ?? nil
            children.cancelAll()
            return first
        }
        if status == nil { kill(process.processIdentifier, SIGKILL) }
        let text = String(decoding: (try? output.fileHandleForReading.readToEnd()) ?? Data(), as: UTF8.self)
        return Answer(status: status, text: text.split(whereSeparator: \.isNewline).joined(separator: " "))
    }

    /// Runs what must succeed.
    func perform(_ arguments: String...) async throws(CommandError) {
        let answer = try await run(arguments)
        guard !answer.isSuccess else { return }
        let what = "systemctl \(arguments.joined(separator: " "))"
        guard answer.status != nil else { throw CommandError(.failure, "\(what) did not end within \(deadline)") }
        throw CommandError(.failure, "\(what) failed: \(OutputText.safe(answer.text))")
    }
}
