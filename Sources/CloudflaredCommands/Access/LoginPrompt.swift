import Access
import Foundation
import Glibc
import Logging
import Subprocess
import SystemPackage

/// Brings a login before the person at the terminal: in a browser where there is a screen, else as an address to open
/// elsewhere. Source: access-protocol.md section 2.12.
///
/// All of it goes to standard error: standard output may be the data of a connection. The address stands alone on its
/// line, for scripts that look for it.
struct ConsolePrompt: LoginPresenter {
    private let environment: [String: String]
    private let tell: @Sendable (String) -> Void

    init(_ context: CommandContext) {
        environment = context.environment
        tell = context.tell
    }

    func present(_ page: LoginPage) async {
        let what = page.yield == .token ? "token" : "certificate"
        if Browser.open(page.url, environment) {
            return tell(
                """
                A browser window should have opened at the following URL:

                \(page.url)

                If it did not, open the URL yourself. cloudflared downloads the \(what) when you have logged in.
                """)
        }
        tell(
            """
            Please open the following URL and log in:

            \(page.url)

            Leave cloudflared running; it downloads the \(what) by itself.
            """)
        if isatty(STDERR_FILENO) == 1, let code = await Browser.code(for: page.url, environment) { tell(code) }
    }

    func otherProcessWaits(pid: Int32, url: String?) {
        tell("Another cloudflared process (pid \(pid)) is already waiting for this login" + (url == nil ? "." : ":"))
        if let url { tell("\n\(url)\n") }
    }

    func stillWaiting() {}
}

/// Brings a login into the log, for a daemon: whoever reads it may open the address anywhere.
struct LoggedPrompt: LoginPresenter {
    let logger: Logger

    func present(_ page: LoginPage) {
        logger.warning(
            "Please open the following URL and log in: a forwarder waits for it", metadata: ["url": "\(page.url)"])
    }

    func otherProcessWaits(pid: Int32, url: String?) {
        logger.info(
            "Another cloudflared process is already waiting for this login",
            metadata: ["pid": "\(pid)", "url": "\(url ?? "")"])
    }

    func stillWaiting() {
        logger.debug("Waiting for login...")
    }
}

/// Programs of the desktop and the terminal that show an address.
enum Browser {
    /// Whether one was started; that a window opens, nobody can tell.
    static func open(_ url: String, _ environment: [String: String]) -> Bool {
        guard ["DISPLAY", "WAYLAND_DISPLAY"].contains(where: { environment[$0, default: ""].isEmpty == false }),
            let program = find("xdg-open", environment)
        else { return false }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = [url]
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        return (try? process.run()) != nil
    }

    /// The address as a picture for a telephone; nil where there is no `qrencode` that makes one within the deadline.
    static func code(
        for url: String, _ environment: [String: String], deadline: Duration = .seconds(2),
        clock: any Clock<Duration> = ContinuousClock()
    ) async -> String? {
        guard let program = find("qrencode", environment) else { return nil }
        return await withTaskGroup(of: String?.self) { children in
            children.addTask {
                // By its input: other users can read arguments.
                let result = try? await Subprocess.run(
                    .path(FilePath(program)), arguments: ["-t", "UTF8", "-o", "-"], input: .string(url),
                    output: .string(limit: 64 << 10), error: .discarded)
                guard let result, result.terminationStatus.isSuccess else { return nil }
                return result.standardOutput
            }
            children.addTask {
                try? await clock.sleep(for: deadline)
                return nil
            }
            // Cancelling the first kills the program.
            defer { children.cancelAll() }
            return await children.next() ?? nil
        }
    }

    /// A program on the `PATH`.
    static func find(_ name: String, _ environment: [String: String]) -> String? {
        (environment["PATH"] ?? "").split(separator: ":").lazy.map { "\($0)/\(name)" }.first {
            $0.hasPrefix("/") && access($0, X_OK) == 0
        }
    }
}
