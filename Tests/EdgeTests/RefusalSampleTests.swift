import Synchronization
import Testing
import TunnelConfig

@testable import Edge

/// How many refusals the audit log keeps.
struct RefusalSampleTests {
    @Test
    func `Thirty a minute are kept of one network, and the rest is counted`() throws {
        let time = Mutex(Duration.zero)
        let sample = RefusalSample { time.withLock(\.self) }
        let (one, other) = (try #require(IPAddress("192.0.2.1")), try #require(IPAddress("192.0.2.2")))
        for _ in 0..<30 { #expect(sample.keeps(from: one) == 0) }
        for _ in 0..<12 { #expect(sample.keeps(from: one) == nil) }
        #expect(sample.keeps(from: other) == 0)
        time.withLock { $0 = .seconds(60) }
        #expect(sample.keeps(from: one) == 12)
        #expect(sample.keeps(from: one) == 0)
        for number in 1...40 {
            let address = try #require(IPAddress("2001:db8::\(number)"))
            #expect(sample.keeps(from: address) == (number <= 30 ? 0 : nil))
        }
    }
}
