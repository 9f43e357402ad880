import Subprocess
import SystemPackage

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
        let words = (root.map { ["--root=\($0)"] } ?? []) + ["--no-ask-password", "--no-pager"] + arguments
        do {
            return try await withThrowingTaskGroup(of: Answer.self) { [program, deadline, clock] children in
                children.addTask {
                    let result = try await Subprocess.run(
                        .path(FilePath(program)), arguments: Arguments(words), output: .string(limit: Self.outputLimit),
                        error: .combinedWithOutput)
                    let status: Int32 = if case .exited(let code) = result.terminationStatus { code } else { -1 }
                    return Answer(status: status, text: Self.oneLine(result.standardOutput))
                }
                children.addTask {
                    try await clock.sleep(for: deadline)
                    return Answer(status: nil, text: "")
                }
                // Cancelling the first kills the program.
                defer { children.cancelAll() }
                return try await children.next() ?? Answer(status: nil, text: "")
            }
        } catch {
            throw CommandError(.unavailable, "cannot run \(program)", cause: error)
        }
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// Bytes; the longest answers have a few hundred.
    private static let outputLimit = 256 << 10

    /// Runs what must succeed.
    func perform(_ arguments: String...) async throws(CommandError) {
        let answer = try await run(arguments)
        guard !answer.isSuccess else { return }
        let what = "systemctl \(arguments.joined(separator: " "))"
        guard answer.status != nil else { throw CommandError(.failure, "\(what) did not end within \(deadline)") }
        throw CommandError(.failure, "\(what) failed: \(OutputText.safe(answer.text))")
    }
}
