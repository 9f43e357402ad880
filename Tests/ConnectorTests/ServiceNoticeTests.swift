import Testing

@testable import Connector

struct ServiceNoticeTests {
    private typealias Machine = ServiceNotice.StateMachine

    @Test func `with the first link the service is ready, once`() {
        var machine = Machine(policy: .first, wanted: 4)
        #expect(machine.started() == [.extendTimeout, .status("Connecting to the edge")])
        #expect(machine.linksChanged(ready: 0, status: "refused") == [.status("refused")])
        #expect(machine.linksChanged(ready: 0, status: "refused") == [])
        #expect(machine.linksChanged(ready: 1, status: "1 of 4") == [.ready(status: "1 of 4")])
        #expect(machine.linksChanged(ready: 2, status: "2 of 4") == [.status("2 of 4")])
        #expect(machine.linksChanged(ready: 0, status: "none") == [.status("none")])
        #expect(machine.linksChanged(ready: 1, status: "1 of 4") == [.status("1 of 4")])
    }

    @Test(arguments: [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
    func `a quorum is more than half`(wanted: Int, needed: Int) {
        var machine = Machine(policy: .quorum, wanted: wanted)
        _ = machine.started()
        for ready in 1..<max(needed, 2) where ready < needed {
            #expect(machine.linksChanged(ready: ready, status: "\(ready)") == [.status("\(ready)")])
        }
        #expect(machine.linksChanged(ready: needed, status: "enough") == [.ready(status: "enough")])
    }

    @Test func `with the process the service is ready before any link`() {
        var machine = Machine(policy: .process, wanted: 4)
        #expect(machine.started() == [.ready(status: "Connecting to the edge")])
        #expect(machine.probeAnswered() == [.watchdog])
    }

    @Test func `more time is asked for only until the service is ready`() {
        var machine = Machine(policy: .first, wanted: 1)
        _ = machine.started()
        #expect(machine.probeAnswered() == [.watchdog, .extendTimeout])
        _ = machine.linksChanged(ready: 1, status: "up")
        #expect(machine.probeAnswered() == [.watchdog])
    }

    @Test func `a reload stands between RELOADING and READY, and a refusal stays in the status`() {
        var machine = Machine(policy: .first, wanted: 1)
        _ = machine.started()
        _ = machine.linksChanged(ready: 1, status: "up")
        #expect(machine.reloadBegan() == [.reloading])
        let refused = "up; the old configuration serves: config.yml:3: bad"
        #expect(machine.reloadEnded(refusal: "config.yml:3: bad") == [.ready(status: refused)])
        #expect(machine.linksChanged(ready: 1, status: "up") == [])
        #expect(machine.reloadBegan() == [.reloading])
        #expect(machine.reloadEnded(refusal: nil) == [.ready(status: "up")])
    }

    @Test func `a reload during the start is no start`() {
        var machine = Machine(policy: .first, wanted: 1)
        _ = machine.started()
        #expect(machine.reloadBegan() == [])
        #expect(machine.reloadEnded(refusal: nil) == [])
        #expect(machine.state == .starting)
    }

    @Test func `a stop is told once, and ends reloads`() {
        var machine = Machine(policy: .first, wanted: 1)
        _ = machine.started()
        _ = machine.linksChanged(ready: 1, status: "up")
        _ = machine.reloadBegan()
        #expect(machine.stopRequested() == [.stopping])
        #expect(machine.stopRequested() == [])
        #expect(machine.reloadEnded(refusal: nil) == [])
        #expect(machine.reloadBegan() == [])
        #expect(machine.linksChanged(ready: 0, status: "gone") == [.status("gone")])
    }
}
