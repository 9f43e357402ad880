import NIOCore
import Testing

@testable import EdgeTransport

/// When a peer counts as silent.
struct LinkPulseTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test func `a peer is silent while a PING waits longer than four round trips`() {
        let pulse = LinkPulse()
        #expect(!pulse.isSilent(at: start))
        pulse.measured(.milliseconds(200))
        pulse.asked(at: start)
        #expect(!pulse.isSilent(at: start + .milliseconds(800)))
        #expect(pulse.isSilent(at: start + .milliseconds(801)))
        pulse.heard()
        #expect(!pulse.isSilent(at: start + .seconds(60)))
    }

    @Test func `on a short way, half a second is waited all the same`() {
        let pulse = LinkPulse()
        pulse.measured(.microseconds(50))
        pulse.asked(at: start)
        #expect(!pulse.isSilent(at: start + .milliseconds(500)))
        #expect(pulse.isSilent(at: start + .milliseconds(501)))
        pulse.asked(at: nil)
        #expect(!pulse.isSilent(at: start + .seconds(60)))
    }
}
