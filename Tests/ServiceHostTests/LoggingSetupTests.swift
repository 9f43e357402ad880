import Foundation
import Glibc
import Logging
import ServiceHost
import Testing

/// A pipe whose text can be read back after the sink was written to.
struct LogPipe {
    let reader: Int32
    let writer: Int32
    let sink: LogSink

    init() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        (reader, writer) = (ends[0], ends[1])
        sink = LogSink(descriptor: ends[1])
    }

    func text() -> String {
        close(writer)
        defer { close(reader) }
        return String(decoding: FileHandle(fileDescriptor: reader).readDataToEndOfFile(), as: UTF8.self)
    }
}

struct LoggingSetupTests {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("host-\(UUID().uuidString)").path

    @Test func `a level is obeyed and its names are the official ones`() throws {
        let console = try LogPipe()
        let logger = LoggingSetup(level: "warn").makeLogger(console: console.sink, environment: ["NO_COLOR": "1"])
        logger.info("hidden")
        logger.warning("seen")
        let text = console.text()
        #expect(text.contains("WRN seen\n") && !text.contains("hidden"))
        #expect(LogLevelName.level(named: "FATAL") == .critical)
        #expect(LogLevelName.level(named: "panic") == .critical)
        #expect(LogLevelName.level(named: "loud") == nil)
    }

    @Test func `a wrong level is one error line and info`() throws {
        let console = try LogPipe()
        let logger = LoggingSetup(level: "loud").makeLogger(console: console.sink, environment: ["NO_COLOR": "1"])
        logger.info("info")
        logger.debug("debug")
        let lines = console.text().split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[0].contains("ERR") && lines[0].contains("\"loud\""))
    }

    @Test func `a log file holds JSON lines, is private and its directories are made`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let console = try LogPipe()
        let path = directory + "/a/b/tunnel.log"
        let logger = LoggingSetup(file: path).makeLogger(console: console.sink, environment: [:])
        logger.info("one", metadata: ["event": .stringConvertible(0)])
        logger.info("two")
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix(#"{"level":"info","event":0,"time":""#) && lines[0].hasSuffix(#""message":"one"}"#))
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(console.text().contains("INF one"))
    }

    @Test func `a directory given as log file gets cloudflared.log`() throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let console = try LogPipe()
        LoggingSetup(output: .none, file: directory).makeLogger(console: console.sink, environment: [:]).info("here")
        #expect(FileManager.default.fileExists(atPath: directory + "/cloudflared.log"))
        #expect(console.text().isEmpty)
    }

    @Test func `an impossible log file is reported and the console goes on`() throws {
        let console = try LogPipe()
        let logger = LoggingSetup(file: "/proc/none/x.log").makeLogger(
            console: console.sink, environment: ["NO_COLOR": "1"])
        logger.info("still here")
        let text = console.text()
        #expect(text.contains("ERR cannot open the log file /proc/none/x.log") && text.contains("still here"))
    }

    @Test func `a reader that does not read costs lines, not the program`() throws {
        let console = try LogPipe()
        let line = String(repeating: "x", count: 60_000)
        for _ in 0..<10 { console.sink.write(line) }
        #expect(console.sink.droppedCount >= 8)
        close(console.reader)
        close(console.writer)
    }
}

struct SecretTests {
    @Test func `a secret cannot be printed`() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in [
            "\(secret)", String(reflecting: secret), String(describing: [secret]), dumped, "\(Optional(secret) as Any)",
        ] {
            #expect(!text.contains("hunter2"), "\(text)")
            #expect(text.contains("*****"))
        }
        #expect(secret.exposed == "hunter2")
    }

    @Test func `a secret file is trimmed and its openness is known`() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("secret-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try " \n eyJh \r\n".write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, 0o644)
        #expect(try FileSecret(path: path).secret.exposed == "eyJh")
        #expect(try FileSecret(path: path).isReadableByAll)
        chmod(path, 0o600)
        #expect(try !FileSecret(path: path).isReadableByAll)
        try Data(" \n".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: HostError.self) { try FileSecret(path: path) }
        try Data([0xff, 0xfe]).write(to: URL(fileURLWithPath: path))
        #expect(throws: HostError.self) { try FileSecret(path: path) }
        try Data(count: 100_000).write(to: URL(fileURLWithPath: path))
        #expect(throws: HostError.self) { try FileSecret(path: path) }
        #expect(throws: HostError.self) { try FileSecret(path: "/") }
        #expect(throws: HostError.self) { try FileSecret(path: path + "-none") }
    }
}
