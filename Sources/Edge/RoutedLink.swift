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
    private let retired = Atomic<Bool>(false)

    package init(id: UUID, link: HTTP2Link) {
        self.id = id
        self.link = link
    }

    /// Visitors' streams open now. From any thread.
    package var openStreams: Int { streams.load(ordering: .relaxed) }

    /// Whether its connector has said goodbye. Look on the link's loop before opening a stream.
    var isRetired: Bool { retired.load(ordering: .relaxed) }

    /// No stream is opened from now on. On the link's loop.
    func retire() {
        retired.store(true, ordering: .relaxed)
    }

    /// Whether it has ended, or may have: the connector lets a PING wait for its answer.
    var isDoubtful: Bool { isRetired || !link.channel.isActive || link.isSilent }

    func streamOpened() {
        streams.add(1, ordering: .relaxed)
    }

    func streamClosed() {
        streams.subtract(1, ordering: .relaxed)
    }

    /// The order in which links are tried: the least loaded first, one of the visitor's own loop before others unless it
    /// has clearly more to do, since bytes that change loops cost more. Links that may be dead come last.
    static func inOrder(_ links: [RoutedLink], near eventLoop: any EventLoop, turn: Int) -> [RoutedLink] {
        guard links.count > 1 else { return links }
        let start = turn % links.count
        let rotated = links[start...] + links[..<start]
        let costs = rotated.map { link in
            let distance = link.link.eventLoop === eventLoop ? 0 : hopCost
            return (link, cost: link.openStreams + distance + (link.isDoubtful ? doubtCost : 0))
        }
        return costs.sorted { $0.cost < $1.cost }.map(\.0)
    }

    /// How many more streams a near link may have before a far one is preferred.
    private static let hopCost = 8
    /// More than any link has streams.
    private static let doubtCost = 1 << 32
}
