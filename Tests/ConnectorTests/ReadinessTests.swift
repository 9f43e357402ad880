import Testing

@testable import Connector

struct ReadinessTests {
    @Test(arguments: [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
    func `a quorum is more than half`(wanted: Int, needed: Int) {
        #expect(ReadyPolicy.quorum.connections(of: wanted) == needed)
        #expect(ReadyPolicy.first.connections(of: wanted) == 1)
        #expect(ReadyPolicy.process.connections(of: wanted) == 0)
    }

    @Test func `ready means at least one registered connection`() {
        var readiness = Readiness()
        #expect(readiness.apply(.reconnecting(index: 0, cause: "refused")) == .changed)
        #expect(readiness.readyConnections == 0)
        #expect(readiness.status(wanted: 2) == "No connection to the edge: refused")
        #expect(readiness.apply(.connected(index: 0, location: "here", address: "127.0.0.1")) == .becameReadyFirst)
        #expect(readiness.readyConnections == 1)
        #expect(readiness.apply(.connected(index: 1, location: "here", address: "127.0.0.1")) == .changed)
        #expect(readiness.status(wanted: 2) == "2 of 2 links: 2xhere")
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

    @Test func `the status names the latest trouble until that link is back`() {
        var readiness = Readiness()
        #expect(readiness.status(wanted: 4) == "Connecting to the edge")
        _ = readiness.apply(.connected(index: 0, location: "b", address: "a"))
        _ = readiness.apply(.connected(index: 3, location: "a", address: "a"))
        _ = readiness.apply(.reconnecting(index: 2, cause: "timed out"))
        _ = readiness.apply(.reconnecting(index: 1, cause: "refused"))
        #expect(readiness.status(wanted: 4) == "2 of 4 links: 1xa, 1xb; link 1: refused")
        _ = readiness.apply(.connected(index: 1, location: "b", address: "a"))
        #expect(readiness.status(wanted: 4) == "3 of 4 links: 1xa, 2xb; link 2: timed out")
    }
}
