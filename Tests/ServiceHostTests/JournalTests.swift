import CDispatch
import Foundation
import Glibc
import Logging
import Testing

@testable import ServiceHost

/// A socket in the journal's place.
private final class JournalSocket {
    let path: String
    private let descriptor: Int32

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)").path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        let isBound = UnixAddress(path)?.bind(descriptor) ?? false
        try #require(isBound)
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// Waits for the next entry; its lines.
    func next() -> [String] {
        var buffer = [UInt8](repeating: 0, count: 256 * 1024)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

/// What `JOURNAL_STREAM` would be if this descriptor led to the journal.
private func stream(_ descriptor: Int32) -> [String: String] {
    var attributes = stat()
    fstat(descriptor, &attributes)
    return ["JOURNAL_STREAM": "\(attributes.st_dev):\(attributes.st_ino)"]
}

@Suite(.timeLimit(.minutes(1)))
struct JournalTests {
    @Test func `under the journal an event keeps its fields, and the console gets nothing`() throws {
        let journal = try JournalSocket()
        let console = try LogPipe()
        var logger = LoggingSetup().makeLogger(
            label: "cloudflared", console: console.sink, environment: stream(console.writer),
            journalPath: journal.path)
        logger[metadataKey: "connIndex"] = "0"
        logger.warning("Lost", metadata: ["error": "no route", "event": .stringConvertible(0)])
        #expect(
            journal.next() == [
                #"MESSAGE=Lost error="no route" connIndex=0 event=0"#, "PRIORITY=4", "SYSLOG_IDENTIFIER=cloudflared",
                "CONNINDEX=0", "ERROR=no route", "EVENT=0",
            ])
        #expect(console.text() == "")
    }

    @Test func `JSON that is asked for wins, and so does a console that is not the journal`() throws {
        let journal = try JournalSocket()
        let json = try LogPipe()
        LoggingSetup(output: .json).makeLogger(
            console: json.sink, environment: stream(json.writer), journalPath: journal.path
        ).info("one")
        #expect(json.text().hasPrefix(#"{"level":"info""#))

        let console = try LogPipe()
        var other = stream(console.writer)
        other["JOURNAL_STREAM"]? += "0"
        LoggingSetup().makeLogger(console: console.sink, environment: other, journalPath: journal.path).info("two")
        #expect(console.text().contains("INF two"))

        let orphan = try LogPipe()
        LoggingSetup().makeLogger(
            console: orphan.sink, environment: stream(orphan.writer), journalPath: journal.path + "-none"
        ).info("three")
        #expect(orphan.text().contains("INF three"))
    }

    @Test func `no value ends its field, begins another or takes a name of the journal`() {
        let entry = JournalEntry(
            level: .info, message: "a\nPRIORITY=0", fields: ["message": "x\nMESSAGE=y", "_uid": "0", "9": "none"],
            identifier: "me")
        let lines = String(decoding: entry.bytes, as: UTF8.self).split(separator: "\n")
        #expect(
            lines.map { $0.prefix { $0 != "=" } } == [
                "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "UID", "CLOUDFLARED_MESSAGE",
            ])
        #expect(lines[0].hasPrefix("MESSAGE=a\\nPRIORITY=0 "))
    }

    @Test(arguments: [
        ("connIndex", "CONNINDEX"), ("a.b-c", "A_B_C"), ("priority", "CLOUDFLARED_PRIORITY"),
        ("syslog_pid", "CLOUDFLARED_SYSLOG_PID"), ("__x", "X"), ("1a", "A"), ("", nil), ("_", nil), ("é", nil),
        (String(repeating: "a", count: 100), String(repeating: "A", count: 64)),
    ])
    func `field names are what the journal accepts`(key: String, name: String?) {
        #expect(JournalEntry.fieldName(key) == name)
    }

    @Test func `an entry is bounded, whatever it is made of`() {
        var generator = SystemRandomNumberGenerator()
        var fields: Logger.Metadata = [:]
        for number in 0..<200 {
            let length = Int.random(in: 0...20_000, using: &generator)
            fields["k\(number)"] = .string(String(repeating: "\u{1}", count: length))
        }
        let entry = JournalEntry(level: .debug, message: "m", fields: fields, identifier: "me")
        #expect(entry.bytes.count <= JournalEntry.maximumLength)
        #expect(entry.bytes.starts(with: Array("MESSAGE=m".utf8)))
    }

    @Test func `a journal that does not read costs events, not the program`() throws {
        let journal = try JournalSocket()
        let sink = try #require(JournalSink(path: journal.path, identifier: "me"))
        let before = DroppedLines.count.value
        for _ in 0..<2000 { sink.write(level: .info, message: String(repeating: "x", count: 4000), fields: [:]) }
        #expect(sink.droppedCount > 0)
        let dropped = sink.droppedCount
        #expect(journal.next().first?.hasPrefix("MESSAGE=xxx") == true)
        sink.write(level: .info, message: "room again", fields: [:])
        #expect(sink.droppedCount == dropped)
        // Other tests may drop lines too.
        #expect(DroppedLines.count.value - before >= dropped)
        let registry = MetricsRegistry()
        _ = HostMetrics(registry: registry)
        let line = registry.text.split(separator: "\n").last { $0.hasPrefix("cloudflared_log_dropped_lines_total ") }
        #expect(Int(line?.split(separator: " ").last ?? "") ?? 0 >= dropped)
    }
}
