package import EdgeTransport
package import FoundationEssentials
import NIOCore
import Synchronization

/// A registered link as the data path sees it: where to open streams, and how many there are.
package final class RoutedLink: Sendable {
    /// Names the connection, as told to the connector.
    package let id: UUID
    package let link: HTTP2Link
    private let streams = Atomic<Int>(0)

    package init(id: UUID, link: HTTP2Link) {
        self.id = id
        self.link = link
    }

    /// Visitors' streams open now. From any thread.
    package var openStreams: Int { streams.load(ordering: .relaxed) }

    func streamOpened() {
        streams.add(1, ordering: .relaxed)
    }

    func streamClosed() {
        streams.subtract(1, ordering: .relaxed)
    }

    /// The order in which links are tried: the least loaded first, one of the visitor's own loop before others unless it
    /// has clearly more to do, since bytes that change loops cost more.
    static func inOrder(_ links: [RoutedLink], near eventLoop: any EventLoop, turn: Int) -> [RoutedLink] {
        guard links.count > 1 else { return links }
        let start = turn % links.count
        let rotated = links[start...] + links[..<start]
        let costs = rotated.map { link in
            (link, cost: link.openStreams + (link.link.eventLoop === eventLoop ? 0 : hopCost))
        }
        return costs.sorted { $0.cost < $1.cost }.map(\.0)
    }

    /// How many more streams a near link may have before a far one is preferred.
    private static let hopCost = 8
}
