import Testing

@testable import Connector

struct GateTests {
    @Test func `everyone who waits goes on when the gate opens`() async {
        let gate = Gate()
        await withTaskGroup { tasks in
            for _ in 0..<10 { tasks.addTask { await gate.wait() } }
            gate.open()
            await tasks.waitForAll()
        }
        #expect(gate.isOpen)
        await gate.wait()
    }

    @Test func `a cancelled wait ends with the gate still shut`() async {
        let gate = Gate()
        await withTaskGroup { tasks in
            tasks.addTask { await gate.wait() }
            tasks.cancelAll()
            await tasks.waitForAll()
        }
        #expect(!gate.isOpen)
    }
}
