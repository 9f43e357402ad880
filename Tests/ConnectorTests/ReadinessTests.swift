import Testing

@testable import Connector

struct ReadinessTests {
    @Test func `ready means at least one registered connection`() {
        var readiness = Readiness()
        #expect(readiness.apply(.reconnecting(index: 0, cause: "refused")) == .changed)
        #expect(readiness.readyConnections == 0)
        #expect(readiness.status == "No connection to the edge: refused")
        #expect(readiness.apply(.connected(index: 0, location: "here", address: "127.0.0.1")) == .becameReadyFirst)
        #expect(readiness.readyConnections == 1)
        #expect(readiness.apply(.connected(index: 1, location: "here", address: "127.0.0.1")) == .changed)
        #expect(readiness.status == "Connected: 2xhere")
        #expect(readiness.apply(.connected(index: 1, location: "here", address: "127.0.0.1")) == .none)
    }

    @Test func `a goodbye or a loss takes a connection out, and a comeback is no first time`() {
        var readiness = Readiness()
        _ = readiness.apply(.connected(index: 0, location: "here", address: "a"))
        #expect(readiness.apply(.unregistering(index: 0)) == .changed)
        #expect(readiness.readyConnections == 0)
        #expect(readiness.apply(.disconnected(index: 0)) == .none)
        #expect(readiness.apply(.connected(index: 0, location: "here", address: "a")) == .changed)
    }
}
