import Edge
import Logging
import Synchronization
import TestKit
import Testing

@Suite struct RejectionLogTests {
    @Test
    func `A flood costs five lines in ten seconds, and the next one says how many were left out`() {
        let lines = Mutex<[String]>([])
        let logger = Logger(label: "edge") { _ in Recorder { line in lines.withLock { $0.append(line) } } }
        let clock = ManualClock()
        let log = RejectionLog(logger: logger) { clock.now.offset }
        for number in 0..<100 { log.report("not TLS", address: "192.0.2.\(number)") }
        #expect(lines.withLock { $0 } == (0..<5).map { "not TLS ip=192.0.2.\($0)" })
        clock.advance(by: .seconds(10))
        log.report("not TLS", address: "192.0.2.200")
        log.report("not TLS", address: "192.0.2.201")
        #expect(
            lines.withLock { $0.suffix(2) } == ["not TLS ip=192.0.2.200 leftOut=95", "not TLS ip=192.0.2.201"])
    }

    private struct Recorder: LogHandler {
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info
        let record: @Sendable (String) -> Void

        init(record: @escaping @Sendable (String) -> Void) {
            self.record = record
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted()
            record(([event.message.description] + fields).joined(separator: " "))
        }
    }
}
