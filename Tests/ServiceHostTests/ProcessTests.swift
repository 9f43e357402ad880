import Foundation
import Glibc
import ServiceHost
import Testing

struct ExitCodeTests {
    @Test func `our table and the official one`() {
        #expect(ExitCode.allCases.map { $0.number(isOfficial: false) } == [0, 1, 2, 69, 78])
        #expect(ExitCode.allCases.map { $0.number(isOfficial: true) } == [0, 1, 0, 1, 1])
        #expect(ExitCode.isOfficialTableAsked(in: ["CLOUDFLARED_COMPAT_EXIT": "1"]))
        #expect(!ExitCode.isOfficialTableAsked(in: [:]))
    }
}

struct FileTests {
    @Test func `the pid file is the number and nothing else`() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("pid-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try PIDFile(path: path).write()
        try PIDFile(path: path).write()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "\(getpid())")
        #expect(throws: HostError.self) { try PIDFile(path: "/proc/none/pid").write() }
    }

    @Test func `a tilde is the home directory`() {
        let environment = ["HOME": "/home/a"]
        #expect(HomePath.expanding("~/x", environment: environment) == "/home/a/x")
        #expect(HomePath.expanding("~", environment: environment) == "/home/a")
        #expect(HomePath.expanding("~b/x", environment: environment) == "~b/x")
        #expect(HomePath.expanding("/x/~", environment: environment) == "/x/~")
        #expect(HomePath.expanding("~/x", environment: [:]) == "~/x")
    }
}

@Suite(.serialized, .timeLimit(.minutes(1)))
struct ProcessSignalsTests {
    @Test func `the first stop signal is an element`() async {
        let signals = await ProcessSignals(watching: [.terminate, .interrupt, .hangUp])
        kill(getpid(), SIGHUP)
        kill(getpid(), SIGTERM)
        #expect(await signals.firstStop() == .terminate)
    }

    @Test func `waiting ends with the task`() async {
        let signals = await ProcessSignals(watching: [.interrupt])
        let result = await withTaskGroup(of: ProcessSignal?.self) { group in
            group.addTask { await signals.firstStop() }
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(result == nil)
    }

    @Test func `systemd is told over its socket, one state a line`() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("notify-\(UUID().uuidString)").path
        defer { unlink(path) }
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
        setenv("NOTIFY_SOCKET", path, 1)
        defer { unsetenv("NOTIFY_SOCKET") }

        func received() -> String {
            var buffer = [UInt8](repeating: 0, count: 1024)
            let count = recv(socket, &buffer, buffer.count, 0)
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
        let notifier = SystemdNotifier()
        notifier.ready(status: "serving\nMAINPID=1")
        #expect(received() == "READY=1\nSTATUS=serving MAINPID=1")
        notifier.stopping()
        #expect(received() == "STOPPING=1")
        notifier.stopping(within: .milliseconds(1500))
        #expect(received() == "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000")
        notifier.extendTimeout(by: .seconds(Int64.max))
        #expect(received() == "EXTEND_TIMEOUT_USEC=\(Int64.max)")
        notifier.status("a\u{1b}b")
        #expect(received() == "STATUS=a\\u001bb")
        notifier.watchdog()
        #expect(received() == "WATCHDOG=1")
        notifier.reloading()
        let reloading = received().split(separator: "=")
        #expect(reloading.prefix(2) == ["RELOADING", "1\nMONOTONIC_USEC"])
        #expect(UInt64(reloading[2]) ?? 0 > 0)
    }
}
