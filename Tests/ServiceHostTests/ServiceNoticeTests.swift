import Testing

@testable import ServiceHost

struct ServiceNoticeTests {
    private func machine(needed: Int = 1) -> ServiceNotice.StateMachine {
        ServiceNotice.StateMachine(needed: needed, status: "Connecting to the edge")
    }

    @Test func `with the first part that works the service is ready, once`() {
        var machine = machine()
        #expect(machine.started() == [.extendTimeout, .status("Connecting to the edge")])
        #expect(machine.changed(ready: 0, status: "refused") == [.status("refused")])
        #expect(machine.changed(ready: 0, status: "refused") == [])
        #expect(machine.changed(ready: 1, status: "1 of 4") == [.ready(status: "1 of 4")])
        #expect(machine.changed(ready: 2, status: "2 of 4") == [.status("2 of 4")])
        #expect(machine.changed(ready: 0, status: "none") == [.status("none")])
        #expect(machine.changed(ready: 1, status: "1 of 4") == [.status("1 of 4")])
    }

    @Test func `a service that needs no part is ready at once`() {
        var machine = machine(needed: 0)
        #expect(machine.started() == [.ready(status: "Connecting to the edge")])
        #expect(machine.probeAnswered() == [.watchdog])
    }

    @Test func `more time is asked for only until the service is ready`() {
        var machine = machine()
        _ = machine.started()
        #expect(machine.probeAnswered() == [.watchdog, .extendTimeout])
        _ = machine.changed(ready: 1, status: "up")
        #expect(machine.probeAnswered() == [.watchdog])
    }

    @Test func `a reload stands between RELOADING and READY, and a refusal stays in the status`() {
        var machine = machine()
        _ = machine.started()
        _ = machine.changed(ready: 1, status: "up")
        #expect(machine.reloadBegan() == [.reloading])
        let refused = "up; the old configuration serves: config.yml:3: bad"
        #expect(machine.reloadEnded(refusal: "config.yml:3: bad") == [.ready(status: refused)])
        #expect(machine.changed(ready: 1, status: "up") == [])
        #expect(machine.reloadBegan() == [.reloading])
        #expect(machine.reloadEnded(refusal: nil) == [.ready(status: "up")])
    }

    @Test func `a reload during the start is no start`() {
        var machine = machine()
        _ = machine.started()
        #expect(machine.reloadBegan() == [])
        #expect(machine.reloadEnded(refusal: nil) == [])
        #expect(machine.state == .starting)
    }

    @Test func `a stop is told once, and ends reloads`() {
        var machine = machine()
        _ = machine.started()
        _ = machine.changed(ready: 1, status: "up")
        _ = machine.reloadBegan()
        #expect(machine.stopRequested() == [.stopping])
        #expect(machine.stopRequested() == [])
        #expect(machine.reloadEnded(refusal: nil) == [])
        #expect(machine.reloadBegan() == [])
        #expect(machine.changed(ready: 0, status: "gone") == [.status("gone")])
    }

    @Test func `a service that turns out to need less is ready with what it has`() {
        var machine = ServiceNotice.StateMachine(needed: 3, status: "Starting")
        _ = machine.started()
        #expect(machine.changed(ready: 2, status: "two") == [.status("two")])
        #expect(machine.needChanged(to: 2) == [.ready(status: "two")])
        #expect(machine.needChanged(to: 3) == [])
    }
}
