import EdgeTransport
import Fuzzing
import NIOCore
import TestKit
import Testing

@testable import Connector

struct EdgeAddressPoolTests {
    private static func endpoint(_ text: String) -> EdgeEndpoint {
        guard let address = try? SocketAddress(ipAddress: text, port: 7844) else { return .name(text, port: 7844) }
        return .address(address)
    }

    private static func entries(_ texts: [String], of source: String? = nil) -> [EdgeAddresses.Entry] {
        texts.map { .init(endpoints: [endpoint($0)], source: source) }
    }

    /// As `--edge` names them.
    private static func fixed(_ texts: String...) -> EdgeAddressPool {
        var pool = EdgeAddressPool()
        pool.replace(by: .fixed(entries(texts)))
        return pool
    }

    private static func found(_ first: [String], _ second: [String], missing: String? = nil) -> EdgeAddresses {
        EdgeAddresses(
            regions: [entries(first, of: "one"), entries(second, of: "two")], isStatic: false, missing: missing)
    }

    /// A pool with the dice of a seed and a time, so that a test reads like a transcript.
    private struct Table {
        var pool = EdgeAddressPool()
        var random = SeededGenerator(seed: 12)
        var now = Duration.zero

        mutating func address(_ index: Int) -> String? {
            pool.address(forConnection: index, at: now, using: &random)?.endpoint.host
        }

        mutating func hasFailed(_ index: Int) -> Bool? {
            pool.address(forConnection: index, at: now, using: &random)?.hasFailed
        }

        mutating func next(_ index: Int) -> String? {
            pool.addressFailed(forConnection: index, at: now, using: &random)
            return address(index)
        }
    }

    // MARK: Named by --edge

    @Test func `each connection gets an address of its own and keeps it`() {
        var table = Table(pool: Self.fixed("a", "b"))
        let first = table.address(0)
        let second = table.address(1)
        #expect(Set([first, second]) == ["a", "b"])
        #expect(table.address(0) == first)
        #expect(table.address(2) == nil)
    }

    @Test func `the same address given twice is two slots, one in each region`() {
        var table = Table(pool: Self.fixed("a", "a"))
        #expect(table.pool.count == 2)
        #expect(table.address(0) == "a")
        #expect(table.address(1) == "a")
        #expect(table.address(2) == nil)
    }

    @Test func `a failed address is left until all others have failed too`() {
        var table = Table(pool: Self.fixed("a", "b", "c"))
        var seen = [table.address(0)]
        for _ in 0..<5 { seen.append(table.next(0)) }
        #expect(Set(seen[0..<3]) == ["a", "b", "c"])
        #expect(Array(seen[0..<3]) == Array(seen[3..<6]))
    }

    @Test func `the only address is kept, and told to have failed until it works or is looked up again`() {
        var table = Table(pool: Self.fixed("a"))
        #expect(table.address(0) == "a")
        #expect(table.next(0) == "a")
        #expect(table.hasFailed(0) == true)
        table.pool.addressWorked(forConnection: 0)
        #expect(table.hasFailed(0) == false)
        #expect(table.next(0) == "a")
        table.pool.replace(by: .fixed(Self.entries(["a"])))
        #expect(table.hasFailed(0) == false)
    }

    @Test func `the addresses of one name take turns`() {
        var table = Table()
        table.pool.replace(by: .fixed([.init(endpoints: ["::1", "10.0.0.1"].map(Self.endpoint))]))
        #expect(table.address(0) == "::1")
        #expect(table.next(0) == "10.0.0.1")
        #expect(table.next(0) == "::1")
        #expect(table.address(1) == nil)
    }

    // MARK: Looked up

    @Test func `connections are spread over both regions`() {
        for seed in UInt64(0)..<50 {
            var table = Table(random: SeededGenerator(seed: seed))
            table.pool.replace(by: Self.found(["10.0.0.1", "10.0.0.2"], ["10.1.0.1", "10.1.0.2"]))
            let used = (0..<4).compactMap { table.address($0) }
            #expect(used.prefix(2).filter { $0.hasPrefix("10.0") }.count == 1)
            #expect(Set(used).count == 4)
        }
    }

    @Test func `a region uses the family of its first address`() {
        var table = Table()
        table.pool.replace(by: Self.found(["10.0.0.1", "2001:db8::1"], ["2001:db8::2", "10.1.0.1"]))
        #expect(table.pool.count == 2)
        #expect(Set([table.address(0), table.address(1)]) == ["10.0.0.1", "2001:db8::2"])
        #expect(table.address(2) == nil)
    }

    @Test func `IPv6 that leads nowhere is left for ten minutes, IPv4 that does so at once`() {
        var table = Table()
        table.pool.replace(by: Self.found(["2001:db8::1", "2001:db8::2", "10.0.0.1", "10.0.0.2"], []))
        #expect(table.address(0)?.hasPrefix("2001:") == true)
        #expect(table.next(0)?.hasPrefix("10.") == true)
        // Back at once: IPv4 is no better.
        #expect(table.next(0)?.hasPrefix("2001:") == true)
        #expect(table.next(0)?.hasPrefix("10.") == true)
        table.now = EdgeAddressPool.timeWithoutIPv6 - .seconds(1)
        #expect(table.address(1)?.hasPrefix("10.") == true)
        #expect(table.address(2) == nil)
        table.now = EdgeAddressPool.timeWithoutIPv6
        #expect(table.address(2)?.hasPrefix("2001:") == true)
    }

    @Test func `a change of the network brings IPv6 back at once, and so does the end of IPv4`() {
        let both = Self.found(["2001:db8::1", "2001:db8::2", "10.0.0.1"], [])
        var moved = Table()
        moved.pool.replace(by: both)
        _ = moved.address(0)
        #expect(moved.next(0) == "10.0.0.1")
        #expect(moved.pool.nextReturn == EdgeAddressPool.timeWithoutIPv6)
        var without = moved
        #expect(moved.address(1) == nil)
        moved.pool.networkChanged()
        #expect(moved.pool.nextReturn == nil)
        #expect(moved.address(1) != nil)
        without.pool.replace(by: Self.found(["2001:db8::1"], []))
        #expect(without.address(1) == "2001:db8::1")
    }

    @Test func `IPv6 that is still held, and fails, does not bring IPv6 in where IPv4 is first by now`() {
        var table = Table()
        table.pool.replace(by: Self.found(["2001:db8::1"], []))
        #expect(table.address(0) == "2001:db8::1")
        table.pool.replace(by: Self.found(["192.0.2.1", "192.0.2.2", "2001:db8::1"], []))
        #expect(Set([table.next(0), table.address(1)]) == ["192.0.2.1", "192.0.2.2"])
        #expect(table.address(2) == nil)
    }

    @Test func `without IPv4 a connection stays with IPv6`() {
        var table = Table()
        table.pool.replace(by: Self.found(["2001:db8::1", "2001:db8::2"], []))
        for _ in 0..<4 { #expect(table.next(0)?.hasPrefix("2001:") ?? (table.address(0) != nil)) }
    }

    // MARK: Looked up again

    @Test func `a connection leaves an address that is gone, and keeps one that stayed`() {
        var table = Table()
        table.pool.replace(by: Self.found(["10.0.0.1"], ["10.1.0.1"]))
        let first = table.address(0)
        let second = table.address(1)
        table.pool.replace(by: Self.found(["10.0.0.9"], ["10.1.0.1"]))
        let kept = first == "10.1.0.1" ? 0 : 1
        #expect(table.address(kept) == (kept == 0 ? first : second))
        #expect(table.address(1 - kept) == "10.0.0.9")
    }

    @Test func `what could not be looked up this time stays as it was`() {
        var table = Table()
        table.pool.replace(by: Self.found(["10.0.0.1"], ["10.1.0.1"]))
        table.pool.replace(by: Self.found(["10.0.0.1"], [], missing: "region 2 does not resolve"))
        #expect(Set([table.address(0), table.address(1)]) == ["10.0.0.1", "10.1.0.1"])
        table.pool.replace(by: Self.found(["10.0.0.1"], []))
        #expect(table.address(2) == nil)
    }

    @Test func `while one name stays missing, what another name no longer has is left all the same`() {
        var table = Table()
        let missing = "never resolves"
        for host in 1...9 {
            table.pool.replace(by: Self.found(["10.0.0.\(host)"], [], missing: missing))
            #expect(table.pool.count == 1)
        }
        #expect(table.address(0) == "10.0.0.9")
        // The name itself has an address at last, and keeps it while it cannot be looked up again.
        table.pool.replace(by: Self.found(["10.0.0.9"], ["10.1.0.1"]))
        table.pool.replace(by: Self.found(["10.0.0.10"], [], missing: missing))
        table.pool.replace(by: Self.found(["10.0.0.10"], [], missing: missing))
        #expect(Set([table.address(0), table.address(1)]) == ["10.0.0.10", "10.1.0.1"])
        #expect(table.address(2) == nil)
    }

    @Test func `names that a proxy looks up serve where addresses were before`() {
        var table = Table()
        table.pool.replace(by: Self.found(["10.0.0.1"], ["10.1.0.1"]))
        _ = table.address(0)
        _ = table.address(1)
        _ = (table.next(0), table.next(1))
        table.pool.replace(by: .fixed(Self.entries(["region1.test", "region2.test"]), missing: "DNS is dead"))
        #expect(table.pool.count == 4)
        #expect(Set([table.next(0), table.next(1)]) == ["region1.test", "region2.test"])
    }

    @Test func `over two thousand seeds no slot has two users, and a free one is found when there is one`() {
        for seed in UInt64(0)..<2000 {
            var table = Table(random: SeededGenerator(seed: seed))
            func some(_ region: Int) -> [String] {
                (0..<Int.random(in: 0...3, using: &table.random)).map { host in
                    Bool.random(using: &table.random) ? "10.\(region).0.\(host)" : "2001:db8:\(region)::\(host)"
                }
            }
            var held: [Int: String] = [:]
            for _ in 0..<40 {
                let index = Int.random(in: 0..<4, using: &table.random)
                switch Int.random(in: 0..<8, using: &table.random) {
                case 0: table.pool.replace(by: Self.found(Array(Set(some(0))), Array(Set(some(1)))))
                case 1: table.pool.replace(by: Self.found(Array(Set(some(0))), [], missing: "no answer"))
                case 2: table.pool.networkChanged()
                case 3: table.pool.addressWorked(forConnection: index)
                case 4, 5: held[index] = table.next(index)
                default: held[index] = table.address(index)
                }
                table.now += .seconds(Int.random(in: 0...300, using: &table.random))
                let addresses = (0..<4).compactMap { held[$0] == nil ? nil : table.address($0) }
                #expect(Set(addresses).count == addresses.count, "seed \(seed)")
                if table.pool.count > held.count {
                    held[index] = table.address(index)
                    #expect(held[index] != nil, "seed \(seed)")
                }
            }
        }
    }

    @Test func `host and port are told apart, IPv6 in brackets`() {
        #expect(HostAndPort("edge.test:7844")?.host == "edge.test")
        #expect(HostAndPort("[::1]:7844")?.host == "::1")
        #expect(HostAndPort("[::1]:7844")?.port == 7844)
        for bad in ["", "edge", "edge:", "edge:0", "edge:65536", "::1:7844", "[]:7844", ":7844", "edge:x"] {
            #expect(HostAndPort(bad) == nil, "\(bad)")
        }
    }
}
