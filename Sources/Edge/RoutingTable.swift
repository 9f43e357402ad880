import EdgeStore
import FoundationEssentials
package import NIOCore
import Synchronization

/// Which links serve which host: a value replaced whole by the registry, read by event loops without waiting.
package final class RoutingTable: Sendable {
    private struct Content: Sendable {
        var routing = RoutingSnapshot(version: 0, tunnels: [:], routes: [:], cleanups: [])
        var links: [UUID: [RoutedLink]] = [:]
        /// When a tunnel lost its last link without a goodbye.
        var losses: [UUID: NIODeadline] = [:]
    }

    private let content = Mutex(Content())
    private let turns = Atomic<Int>(0)

    package init() {}

    /// What a look into the table gives.
    package enum Answer: Sendable {
        /// No route leads anywhere.
        case unknownHost
        /// The tunnel has no connector now. If the last one left without a goodbye, it was then.
        case noConnector(tunnel: String, lost: NIODeadline?)
        /// Links to try, in this order.
        case links([RoutedLink])

        /// None when nobody serves.
        var links: [RoutedLink] { if case .links(let links) = self { links } else { [] } }
    }

    /// Who serves `host` (lower case, without port)?
    package func look(up host: String, near eventLoop: any EventLoop) -> Answer {
        let (tunnel, links, lost) = content.withLock { content in
            let tunnel = content.routing.tunnel(for: host)
            return (tunnel, tunnel.flatMap { content.links[$0.id] } ?? [], tunnel.flatMap { content.losses[$0.id] })
        }
        guard let tunnel else { return .unknownHost }
        guard !links.isEmpty else { return .noConnector(tunnel: tunnel.name, lost: lost) }
        let turn = turns.add(1, ordering: .relaxed).newValue & Int.max
        return .links(RoutedLink.inOrder(links, near: eventLoop, turn: turn))
    }

    func replaceRouting(_ routing: RoutingSnapshot) {
        content.withLock { content in
            content.routing = routing
            content.losses = content.losses.filter { routing.tunnels[$0.key] != nil }
        }
    }

    func add(_ link: RoutedLink, for tunnelID: UUID) {
        content.withLock { content in
            content.links[tunnelID, default: []].append(link)
            content.losses[tunnelID] = nil
        }
    }

    /// - Parameter isLost: nobody asked for that, so that its connector may be back soon.
    func remove(_ id: UUID, for tunnelID: UUID, isLost: Bool) {
        content.withLock { content in
            let rest = content.links[tunnelID]?.filter { $0.id != id } ?? []
            content.links[tunnelID] = rest.isEmpty ? nil : rest
            content.losses[tunnelID] = isLost && rest.isEmpty ? .now() : nil
        }
    }
}
