import EdgeStore
import Foundation
import NIOEmbedded
import Testing

@testable import Edge

/// What visitors find when nobody serves.
struct RoutingTableTests {
    private let table = RoutingTable()
    private let home = EdgeHarness.home
    private let host = "open.site.test"

    private func routing(_ tunnels: [TunnelRecord], version: Int) -> RoutingSnapshot {
        RoutingSnapshot(
            version: version, tunnels: Dictionary(uniqueKeysWithValues: tunnels.map { ($0.id, $0) }),
            routes: [host: home.id], cleanups: [])
    }

    /// Whether the tunnel is known to have lost its last link.
    private var isLost: Bool? {
        guard case .noConnector(_, let lost) = table.look(up: host, near: EmbeddedEventLoop()) else { return nil }
        return lost != nil
    }

    @Test func `a loss is remembered while other things change, and no longer than its tunnel`() {
        table.replaceRouting(routing([home, EdgeHarness.idle], version: 1))
        #expect(isLost == false)
        table.remove(UUID(), for: home.id, isLost: true)
        #expect(isLost == true)
        table.replaceRouting(routing([home], version: 2))
        #expect(isLost == true)
        table.replaceRouting(routing([], version: 3))
        #expect(isLost == nil)
        table.replaceRouting(routing([home], version: 4))
        #expect(isLost == false)
    }
}
