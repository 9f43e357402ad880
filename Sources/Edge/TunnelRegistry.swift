package import EdgeStore
package import EdgeTransport
package import Foundation
package import Logging
import NIOCore
package import TunnelWire

/// Knows which connectors are registered, lets them in, and keeps the routing table and the store in step with that.
///
/// `run()` follows the store: routes change, tunnels are deleted, connections are given up. Lives as long as the edge.
/// Nothing here is on the data path; visitors read `routes`.
package actor TunnelRegistry {
    /// Where this edge is, as connectors and `tunnel list` show it.
    package static let location = "local01"

    package nonisolated let routes = RoutingTable()
    /// Names this edge process in the store.
    package nonisolated let edgeID = UUID()

    private let store: any ClusterStore
    private let limits: EdgeLimits
    private let logger: Logger
    private var table = RegistrationTable()
    private var links: [UUID: RoutedLink] = [:]
    private var storeFails = false
    /// How many links there are, and of how many tunnels, when that changes. For one reader.
    package nonisolated let censuses: AsyncStream<Census>
    private nonisolated let census: AsyncStream<Census>.Continuation

    /// What is connected.
    package struct Census: Sendable, Equatable {
        package var links = 0
        package var tunnels = 0

        package init() {}

        var text: String {
            "\(links) \(links == 1 ? "link" : "links") of \(tunnels) \(tunnels == 1 ? "tunnel" : "tunnels")"
        }
    }

    package init(store: any ClusterStore, limits: EdgeLimits = EdgeLimits(), logger: Logger) {
        self.store = store
        self.limits = limits
        self.logger = logger
        (censuses, census) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Returns when the registry has time.
    package func answerProbe() {}

    private func count() {
        var census = Census()
        census.links = table.sessions.count
        census.tunnels = Set(table.sessions.values.map(\.tunnelID)).count
        self.census.yield(census)
    }

    // MARK: Following the store

    /// Keeps routes and connections current until cancelled.
    package func run() async {
        while !Task.isCancelled {
            await refresh()
            do { try await Task.sleep(for: limits.storePoll) } catch { break }
        }
    }

    /// Looks whether the store has changed, and follows it if so.
    package func refresh() async {
        do {
            // Not even the version of an empty store is 0.
            if try await store.version() != table.routing.version {
                adopt(try await store.routing())
            }
            if storeFails { logger.info("Edge store can be read again") }
            storeFails = false
        } catch is CancellationError {
            return
        } catch {
            if !storeFails { logger.error("Edge store cannot be read", metadata: ["error": "\(error)"]) }
            storeFails = true
        }
    }

    private func adopt(_ routing: RoutingSnapshot) {
        let unwanted = table.routingRead(routing)
        routes.replaceRouting(table.routing)
        for session in unwanted {
            logger.info("Connection closed by the administrator", metadata: metadata(session))
            drop(session)?.link.close()
        }
    }

    // MARK: Connections

    /// A connector that was let in.
    package struct Admission: Sendable {
        package let details: ConnectionDetails
        package let link: RoutedLink
        fileprivate let session: RegistrationTable.Session
        fileprivate let record: ConnectionRecord
    }

    /// Lets a connector in, or says why not. `activate` follows when the connector has been told, and in any case `ended`.
    package func register(
        _ request: RegisterConnection, on link: HTTP2Link, from address: String
    ) async -> Result<Admission, ConnectionError> {
        let id = UUID()
        var action = table.registrationRequested(request, id: id, storeIsRead: false)
        if case .readStore = action {
            await refresh()
            action = table.registrationRequested(request, id: id, storeIsRead: true)
        }
        switch action {
        case .readStore:
            return .failure(RegistrationTable.unknownTunnel)
        case .refuse(let error):
            logger.warning(
                "Connector refused",
                metadata: ["tunnelID": "\(request.tunnelID.text)", "ip": "\(address)", "error": "\(error.cause)"])
            return .failure(error)
        case .accept(let session, let replaced):
            if let replaced {
                logger.info("Connection replaced by a newer one", metadata: metadata(replaced))
                drop(replaced)?.link.close()
                await forget(replaced.id)
            }
            let routed = RoutedLink(id: id, link: link)
            links[id] = routed
            return .success(
                Admission(
                    details: ConnectionDetails(uuid: id, locationName: Self.location), link: routed, session: session,
                    record: record(session, request, address: address)))
        }
    }

    /// From here on the link may get streams.
    package func activate(_ admission: Admission) async {
        let session = admission.session
        guard table.sessions[session.id] != nil else { return }
        routes.add(admission.link, for: session.tunnelID)
        count()
        logger.info("Connector registered", metadata: metadata(session, ["ip": "\(admission.record.originIP)"]))
        do {
            try await store.connectionOpened(admission.record)
        } catch {
            logger.warning("Connection not recorded", metadata: metadata(session, ["error": "\(error)"]))
        }
        // It may have ended while the store wrote.
        if table.sessions[session.id] == nil { await forget(session.id) }
    }

    /// Nothing new goes to this connection; what runs may end.
    package func unregistered(_ id: UUID) async {
        guard let session = table.ended(id) else { return }
        logger.info("Connector unregistered", metadata: metadata(session))
        drop(session)
        await forget(id)
    }

    /// The connection is gone.
    package func ended(_ id: UUID, reason: String) async {
        if let session = table.ended(id) {
            logger.info("Connection ended", metadata: metadata(session, ["reason": "\(reason)"]))
            drop(session, isLost: true)
        }
        await forget(id)
    }

    /// The configuration a connector runs with.
    package func configurationReceived(_ json: String, from id: UUID) async {
        guard let session = table.sessions[id] else { return }
        do {
            try await store.setConfiguration(json, ofTunnel: session.tunnelID, at: Date())
        } catch {
            logger.warning("Connector's configuration not stored", metadata: metadata(session, ["error": "\(error)"]))
        }
    }

    /// The edge begins or has ended: nothing is connected.
    package func forgetAll() async {
        do {
            // One edge per store for now, so what an edge that crashed has left is of no use to anybody.
            try await store.forgetConnections(ofEdge: nil)
        } catch {
            logger.warning("Connections not forgotten in the store", metadata: ["error": "\(error)"])
        }
    }

    @discardableResult
    private func drop(_ session: RegistrationTable.Session, isLost: Bool = false) -> RoutedLink? {
        routes.remove(session.id, for: session.tunnelID, isLost: isLost)
        count()
        return links.removeValue(forKey: session.id)
    }

    private func record(
        _ session: RegistrationTable.Session, _ request: RegisterConnection, address: String
    ) -> ConnectionRecord {
        let client = request.options.client
        return ConnectionRecord(
            id: session.id, tunnelID: session.tunnelID, connectorID: session.connectorID, index: Int(session.index),
            location: Self.location, originIP: address, version: String(client.version.prefix(64)),
            architecture: String(client.arch.prefix(64)),
            features: client.features.prefix(64).map { String($0.prefix(64)) },
            openedAt: Date(), edgeID: edgeID)
    }

    private func forget(_ id: UUID) async {
        do {
            try await store.connectionClosed(id)
        } catch {
            logger.warning(
                "Connection's end not recorded", metadata: ["connectionID": "\(id.text)", "error": "\(error)"])
        }
    }

    private func metadata(_ session: RegistrationTable.Session, _ more: Logger.Metadata = [:]) -> Logger.Metadata {
        more.merging([
            "connectionID": "\(session.id.text)", "tunnelID": "\(session.tunnelID.text)",
            "connectorID": "\(session.connectorID.text)", "connIndex": "\(session.index)",
        ]) { first, _ in first }
    }
}

extension UUID {
    /// As the official client writes it.
    var text: String { uuidString.lowercased() }
}
