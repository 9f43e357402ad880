import Testing

@testable import Connector

struct EdgeAddressPoolTests {
    @Test func `each connection gets an address of its own and keeps it`() {
        var pool = EdgeAddressPool(["a:1", "b:1"])
        #expect(pool.address(forConnection: 0) == "a:1")
        #expect(pool.address(forConnection: 1) == "b:1")
        #expect(pool.address(forConnection: 0) == "a:1")
        #expect(pool.address(forConnection: 2) == nil)
    }

    @Test func `the same address given twice is two slots`() {
        var pool = EdgeAddressPool(["a:1", "a:1"])
        #expect(pool.count == 2)
        #expect(pool.address(forConnection: 0) == "a:1")
        #expect(pool.address(forConnection: 1) == "a:1")
    }

    @Test func `a failed address is left for the one unused for longest`() {
        var pool = EdgeAddressPool(["a:1", "b:1", "c:1"])
        #expect(pool.address(forConnection: 0) == "a:1")
        #expect(pool.addressFailed(forConnection: 0) == "b:1")
        #expect(pool.addressFailed(forConnection: 0) == "c:1")
        #expect(pool.addressFailed(forConnection: 0) == "a:1")
    }

    @Test func `the only address is kept`() {
        var pool = EdgeAddressPool(["a:1"])
        #expect(pool.address(forConnection: 0) == "a:1")
        #expect(pool.addressFailed(forConnection: 0) == "a:1")
        #expect(pool.address(forConnection: 0) == "a:1")
    }

    @Test func `host and port are told apart, IPv6 in brackets`() {
        #expect(HostAndPort("edge.test:7844")?.host == "edge.test")
        #expect(HostAndPort("[::1]:7844")?.host == "::1")
        #expect(HostAndPort("[::1]:7844")?.port == 7844)
        for bad in ["", "edge", "edge:", "edge:0", "edge:65536", "::1:7844", ":7844", "edge:x"] {
            #expect(HostAndPort(bad) == nil, "\(bad)")
        }
    }
}
